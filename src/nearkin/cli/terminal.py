"""Standard output and standard error: any text can be written to them, whatever their encoding.

A file name may hold bytes that are not UTF-8 (Python keeps them as lone surrogates), and a terminal or file may have an
encoding without the characters of a name or caption. Neither ends a command: into a file or pipe a name goes with the
bytes that it has on disk, so that `xargs` finds the file; whatever else cannot be encoded becomes an escape such as
`\\u043a`.
"""

import codecs
import contextlib
import os
import sys

ERRORS = "nearkin.bytes_or_escapes"


def _bytes_or_escapes(error: UnicodeError) -> tuple[str | bytes, int]:
    """Of a text that cannot be encoded: a surrogate is the byte it stands for, other characters become escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    if "a".encode(error.encoding) != b"a":
        # UTF-16 and its like have no place for a single byte.
        return part.encode("ascii", "backslashreplace").decode("ascii"), error.end
    encoded = b"".join(
        bytes([ord(character) - 0xDC00])
        if "\udc80" <= character <= "\udcff"
        else character.encode("ascii", "backslashreplace")
        for character in part
    )
    return encoded, error.end


def accept_any_text() -> None:
    """Let standard output and standard error take any text: no character ends a command."""
    codecs.register_error(ERRORS, _bytes_or_escapes)
    for stream in (sys.stdout, sys.stderr):
        # At a terminal an escape says more than a byte that it cannot show.
        errors = "backslashreplace" if stream is sys.stderr or stream.isatty() else ERRORS
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)


def json_for(encoding: str | None, text: str) -> str:
    """JSON with escapes for what an encoding lacks; its only characters that are not ASCII stand in strings.

    Example:
        >>> print(json_for("latin-1", '{"кот": "é 🦊"}'))
        {"\\u043a\\u043e\\u0442": "é \\ud83e\\udd8a"}
    """
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return "".join(map(_json_escape(encoding or "utf-8"), text))
    return text


def _json_escape(encoding: str):  # type: ignore[no-untyped-def]
    def escaped(character: str) -> str:
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            units = character.encode("utf-16-be", "surrogatepass")
            return "".join(f"\\u{units[position : position + 2].hex()}" for position in range(0, len(units), 2))
        return character

    return escaped


def flush_or_discard() -> OSError | None:
    """Write out what is buffered. If that fails, such as into a closed pipe, discard it and return why.

    Without this Python would complain at exit.
    """
    failure = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            failure = error
            discard(stream)
        except ValueError:
            # Closed already.
            continue
    return failure


def discard(stream: object) -> None:
    """Send what a stream still holds to nowhere."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
        os.close(nowhere)
