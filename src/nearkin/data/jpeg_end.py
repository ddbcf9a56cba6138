"""JPEGs that lack their end mark: whether all of their pixels are there."""

import re
from collections.abc import Callable, Iterator
from typing import Any

_END = b"\xff\xd9"
_START_OF_SCAN = 0xDA
# SOF markers: C0 to CF but for the tables DHT (C4) and DAC (CC), and the reserved C8.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a body: TEM and SOI. RST0 to RST7 stand within the data of a scan.
_BARE = frozenset((0x01, 0xD8))
# What ends the data of a scan: a marker that is no stuffed zero, no restart and no fill byte.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Data that says other things than the zeros a decoder goes on with where data is missing, before and after restarts.
_RESTARTS = [bytes((0xFF, 0xD0 + count % 8)) for count in range(16)]
_FILLERS = tuple(
    filler + b"".join(restart + filler for restart in _RESTARTS) for filler in (b"\xaa" * 64, b"\x55" * 64)
)
# Zeros at the end of a file, as of one that was made in its full size and then only partly written.
_PADDING = 16


def lacks_end(encoded: bytes) -> bool:
    """Whether the bytes of a JPEG end in padding instead of an end mark; most others tell when they are decoded."""
    return encoded.endswith(b"\0" * _PADDING) and not encoded.rstrip(b"\0").endswith(_END)


def with_end(encoded: bytes, pixels: Callable[[bytes], Any]) -> bytes | None:
    """The JPEG with the end mark that it lacks; None if some of its data is missing as well.

    The data is complete if its scans give each coefficient to the last bit, and if more data behind it would change no
    pixel.

    Args:
        encoded: the bytes of a JPEG.
        pixels: decodes such bytes, to something that compares as equal if the pixels are.
    """
    start = encoded.rstrip(b"\0") if encoded.endswith(b"\0" * _PADDING) else encoded
    if start.endswith(b"\xff"):
        # The first half of the end mark, or a byte of data, which a zero follows.
        start = start + b"\0" if len(start) < len(encoded) else start.rstrip(b"\xff")
    if not _scans_are_complete(start):
        return None
    whole = start + _END
    wanted = pixels(whole)
    return whole if all(pixels(start + filler + _END) == wanted for filler in _FILLERS) else None


def _scans_are_complete(encoded: bytes) -> bool:
    """Whether the scans that have begun give every coefficient of every component to its last bit."""
    missing: dict[int, set[int]] = {}
    for marker, body in _segments(encoded):
        if marker in _FRAMES and len(body) >= 6:
            missing = {component: set(range(64)) for component in body[6 : 6 + 3 * body[5] : 3]}
        elif marker == _START_OF_SCAN and len(body) >= 4 and len(body) >= 4 + 2 * body[0]:
            first, last, bits = body[1 + 2 * body[0] :][:3]
            if not bits & 15:  # Al: how many low bits are left to later scans
                for component in body[1 : 1 + 2 * body[0] : 2]:
                    missing.get(component, set()).difference_update(range(first, last + 1))
    return bool(missing) and not any(missing.values())


def _segments(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers and the bodies of their segments, up to the end of the data."""
    position = 0
    while found := _NEXT_MARKER.search(encoded, position):
        marker, position = encoded[found.end() - 1], found.end()
        if marker == _END[1]:
            return
        if marker not in _BARE:
            length = int.from_bytes(encoded[position : position + 2], "big")
            yield marker, encoded[position + 2 : position + length]
            position += max(length, 2)
