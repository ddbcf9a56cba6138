"""The command line. Only this package prints or exits."""

import sys
from collections.abc import Sequence

from nearkin.errors import NearkinError

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake is one line on standard error and exit code 2."""
    from nearkin.cli.app import app

    try:
        app(args=None if arguments is None else list(arguments), prog_name="nearkin")
    except NearkinError as error:
        print(f"nearkin: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except OSError as error:
        # A disk that is full, a folder that may not be written. Without a file's name it is our own mistake.
        if error.filename is None:
            raise
        print(f"nearkin: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(BAD_INPUT)
