"""Text of a table file in whatever encoding a program saved it."""

import logging
import re
from pathlib import Path
from typing import TextIO

from nearkin.data.picture import not_a_file, read_file
from nearkin.errors import PictureError, SourceError

_log = logging.getLogger(__name__)

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive (a workbook of Excel is one)"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xd0\xcf\x11\xe0", "an old workbook of Excel"),
    (b"SQLite format 3", "an SQLite database"),
)
# Bytes of a file that are looked at where it is read line by line.
_HEAD = 1 << 20
_HIGH_RUNS = re.compile(rb"[\x80-\xff]+")
# Letters in the Western encoding of Windows, plain ones and others; and its signs in texts, such as long dashes.
_WESTERN_WORDS = re.compile(rb"[A-Za-z\xc0-\xff\x8a\x8c\x8e\x9a\x9c\x9e\x9f]+")
_WESTERN_SIGNS = frozenset("€…–—‘’“”„‚«»°©®™§·¿¡£²³½¼´\xa0".encode("cp1252"))
_CYRILLIC = ("cp1251", "cp866", "koi8-r")
# Two of three letters of any Russian text, and few of one that was decoded wrongly.
_FREQUENT = frozenset("оеаинтсрвлкмдп")
_LEAST_FREQUENT = 0.4


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, UTF-16 or UTF-32; else in the usual encoding of Western or Russian programs.

    Raises:
        SourceError: not text, or in no encoding that can be told; the row is named.
        OSError: cannot be read.
    """
    try:
        encoded = read_file(str(path))
    except PictureError as error:
        raise SourceError(f"{path}: {error}") from error
    encoding = encoding_of(encoded, str(path))
    try:
        return encoded.decode(encoding)
    except UnicodeDecodeError as error:
        row = encoded.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{path}: row {row} is not in {encoding}: save the table as UTF-8") from error


def open_text(path: Path) -> TextIO:
    """A text file open for reading line by line, in the encoding that its first bytes tell.

    Raises:
        SourceError: no regular file, or not text.
        OSError: cannot be read.
    """
    if kind := not_a_file(path.stat().st_mode):
        raise SourceError(f"{path}: {kind}, expected a file of text")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return path.open(newline="", encoding=encoding_of(head, str(path)))


def encoding_of(encoded: bytes, name: str) -> str:
    """The encoding of these bytes, or of a file's first ones.

    Raises:
        SourceError: they are no text, or in no encoding that can be told; the row is named.
    """
    for signature, kind in _SIGNATURES:
        if encoded.startswith(signature):
            raise SourceError(f"{name}: begins as {kind} does, expected text: save the table as CSV in UTF-8")
    marked = next((encoding for mark, encoding in _MARKS if encoded.startswith(mark)), None)
    if marked:
        return marked
    start = encoded[:1000]
    for encoding, zeros in (("utf-16-le", start[1::2].count(0)), ("utf-16-be", start[::2].count(0))):
        if zeros > len(start) / 5:
            return encoding
    try:
        encoded.decode()
        return "utf-8"
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(encoded):
            return "utf-8"  # The first bytes of a file, cut within a letter.
        found = _legacy_encoding(encoded)
        if found is None:
            row = encoded.count(b"\n", 0, error.start) + 1
            raise SourceError(f"{name}: row {row} is not in UTF-8: save the table as UTF-8") from error
    _log.warning("%s is not in UTF-8; read as %s: if letters come out wrong, save it as UTF-8", name, found)
    return found


def _legacy_encoding(encoded: bytes) -> str | None:
    """Accented letters stand within words of plain ones, Cyrillic ones make words; None if it is neither."""
    if _is_western(encoded):
        return "cp1252" if _decodes(encoded, "cp1252") else "latin-1"
    runs = _HIGH_RUNS.findall(encoded)
    shares = {encoding: _frequent_share(runs, encoding) for encoding in _CYRILLIC if _decodes(encoded, encoding)}
    best = max(shares, key=shares.__getitem__, default="")
    return best if shares.get(best, 0) >= _LEAST_FREQUENT else None


def _is_western(encoded: bytes) -> bool:
    """Whether most letters that are not plain stand among plain ones, or alone, and other signs are usual ones."""
    words = [(len(word), sum(byte >= 0x80 for byte in word)) for word in _WESTERN_WORDS.findall(encoded)]
    letters = sum(high for _, high in words)
    among_plain = sum(high for length, high in words if high < length or length == 1)
    signs = [byte for byte in _WESTERN_WORDS.sub(b"", encoded) if byte >= 0x80]
    usual = sum(byte in _WESTERN_SIGNS for byte in signs)
    return 2 * among_plain >= letters and usual >= 0.9 * len(signs)


def _decodes(encoded: bytes, encoding: str) -> bool:
    try:
        encoded.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _frequent_share(runs: list[bytes], encoding: str) -> float:
    """The share of frequent lower-case letters; words begin with upper-case ones, they do not go on so."""
    text = b"".join(runs).decode(encoding)
    return sum(letter in _FREQUENT for letter in text) / len(text)
