"""Where a model lies: found without torch, so that a wrong path is said at once."""

from pathlib import Path

from nearkin.encoders.hubs import foreign_model
from nearkin.encoders.hubs._answering import from_hub
from nearkin.encoders.starts import STARTS, start_named
from nearkin.errors import ArtefactError

# Files of a model; the first one makes a folder a model.
CONFIG, CARD, CALIBRATION, WORDS = "config.json", "README.md", "calibration.json", "word_calibration.safetensors"


def check_model(model: str | Path) -> None:
    """Check that there is a model: a folder, a name on the Hub, or a start; without torch, so that it is said at once.

    Raises:
        ArtefactError: nothing there.
        MissingDependency: the package of a start is not installed.
    """
    if (start := start_named(model)) is not None:
        start.check()
    elif (foreign := foreign_model(model)) is not None:
        foreign.check()
    else:
        locate(model)


def locate(path: str | Path) -> Path:
    """The folder of the artefact; from the Hub if no such path exists and it reads "owner/name".

    Raises:
        ArtefactError: nothing there.
    """
    folder = Path(path)
    for candidate in (folder, folder / "model"):
        if (candidate / CONFIG).is_file():
            return candidate
    if folder.is_dir():
        hidden = f"; it hides the start '{folder}': name the folder otherwise" if str(path) in STARTS else ""
        raise ArtefactError(
            f"'{folder}' holds no model: expected a folder with {CONFIG}, or a run folder with model/{hidden}"
        )
    if folder.exists() or str(path).count("/") != 1 or folder.is_absolute() or str(path).startswith("."):
        raise ArtefactError(
            f"no model at '{folder}': expected the folder of a model or of a training run, or a start "
            f"({', '.join(STARTS)}; `nearkin starts` tells more), or timm:NAME, open_clip:NAME/TAG, transformers:NAME"
        )
    # Half a second to import, and most models lie in a folder.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    with from_hub(str(path)):
        try:
            return Path(snapshot_download(str(path)))
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            raise ArtefactError(
                f"no model at '{folder}', and none of that name on the Hugging Face Hub: {str(error).splitlines()[0]}"
            ) from error
