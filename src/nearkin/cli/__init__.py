"""The command line. Only this package prints or exits.

Exit codes: 0 done; 1 a fault of nearkin, or a gallery that `gallery check` found damaged; 2 bad input, or too little
disk space or memory; 130 ended by Ctrl-C; 141 the reader of the output closed the pipe.
"""

import errno
import sys
from collections.abc import Sequence

from nearkin.cli.terminal import accept_any_text, flush_or_discard
from nearkin.errors import NearkinError

DONE, FAULT, BAD_INPUT, PIPE_CLOSED = 0, 1, 2, 141


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: an error that the user can do something about is one line and exit code 2."""
    from nearkin.cli.app import app

    accept_any_text()
    code: int | str | None = DONE
    try:
        # Errors in options come here as exceptions; the exit code of `typer.Exit` comes back.
        code = app(args=None if arguments is None else list(arguments), prog_name="nearkin", standalone_mode=False)
    except SystemExit as stopped:
        code = stopped.code
    except Exception as error:
        code = _failed(error)
    unwritten = flush_or_discard()
    if unwritten is not None and code == DONE:
        code = _failed(unwritten)
    sys.exit(code)


def _failed(error: Exception) -> int:
    """Say what went wrong, and the exit code of it."""
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return BAD_INPUT
    if type(error).__name__ == "Abort":
        print("Aborted.", file=sys.stderr)
        return FAULT
    line = one_line(error)
    if line is not None:
        print(f"nearkin: {line}", file=sys.stderr)
        return BAD_INPUT
    import traceback

    traceback.print_exception(error)
    print(
        "nearkin: this is a fault of nearkin, not yours. Please report it with the lines above, the command, and what "
        "`nearkin --version` prints.",
        file=sys.stderr,
    )
    return FAULT


def one_line(error: Exception) -> str | None:
    """An error as a user reads it; None if it is no error that a user can do something about, but a fault of nearkin.

    Example:
        >>> one_line(FileNotFoundError(2, "No such file or directory", "a.jpg"))
        'a.jpg: No such file or directory'
        >>> one_line(KeyError("x")) is None
        True
    """
    if isinstance(error, NearkinError):
        return str(error)
    if hasattr(error, "format_message"):
        # Of the parser of options, which is not imported here.
        command = getattr(getattr(error, "ctx", None), "command_path", "nearkin")
        message = error.format_message().rstrip(".").replace("\n", " ")
        return f"{message}{'' if message.endswith('?') else ':'} see `{command} --help`"
    if isinstance(error, MemoryError):
        return "out of memory: use a smaller batch, smaller pictures, or a machine with more memory"
    if type(error).__name__ == "OutOfMemoryError":
        # torch's own, which is not imported here.
        return "the GPU is out of memory: use a smaller batch, smaller pictures, or --device cpu"
    if isinstance(error, UnicodeError):
        return f"text that is not UTF-8: {error}; save the file as UTF-8"
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        if error.filename is not None:
            return f"{printable_path(error.filename)}: {reason}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE):
            return reason
    return None


def printable_path(path: object) -> str:
    """A path that came as text, bytes or a number."""
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)
