"""A hub that does not answer is known in seconds: then only what is in the local cache is taken."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, getproxies, urlopen

from nearkin.errors import ArtefactError, NearkinError

# Seconds to wait for a connection, and for an answer.
PATIENCE = 5.0


@contextmanager
def from_hub(name: str) -> Iterator[None]:
    """Load a model in this context: from the local cache, or from the Hugging Face Hub if that answers.

    Args:
        name: of the model, for the message.

    Raises:
        ArtefactError: there is no such model, or the hub does not answer and the local cache has not got it.
    """
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    silent = not offline and not _answers(constants.ENDPOINT)
    constants.HF_HUB_OFFLINE = offline or silent
    try:
        yield
    except NearkinError:
        raise
    except Exception as error:  # each library has its own kinds
        lines = str(error).strip().splitlines()
        reason = f"{constants.ENDPOINT} does not answer, and the local cache has not got it" if silent else lines[:1]
        shown = reason if isinstance(reason, str) else (reason[0] if reason else type(error).__name__)
        raise ArtefactError(
            f"model '{name}' cannot be loaded: {shown}; name a local file or folder, or a start that is installed "
            "(`nearkin starts`)"
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = offline


def _answers(endpoint: str) -> bool:
    """Whether the hub says anything, through the proxy that is set, if there is one."""
    if os.environ.get("ALL_PROXY") and not getproxies().get("https"):
        # Such as SOCKS, which only the library knows.
        return True
    try:
        with urlopen(Request(endpoint, method="HEAD"), timeout=PATIENCE):
            return True
    except HTTPError:
        return True
    except (OSError, HTTPException):
        return False
