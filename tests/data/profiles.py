"""Small ICC profiles made by hand, and what they mean by the formulas of the specification (ICC.1:2001-04)."""

import struct

import numpy as np

# Primaries of Adobe RGB (1998), adapted to D50: columns are the XYZ of red, green and blue.
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
WHITE = (0.9642, 1.0, 0.8249)


def rgb_profile(primaries: np.ndarray, gamma: float) -> bytes:
    """A display profile of these primaries `[XYZ, channel]` with one gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"wtpt": _xyz(WHITE)}
    for name, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
        tags |= {name + b"XYZ": _xyz(column), name + b"TRC": curve}
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return _profile(b"GRAY", {b"wtpt": _xyz(WHITE), b"kTRC": curve})


def to_srgb(pixels: np.ndarray, primaries: np.ndarray, gamma: float) -> np.ndarray:
    """What pixels `[..., 3]` in 0..255 of such a profile are in sRGB."""
    return xyz_to_srgb((pixels / 255) ** gamma @ primaries.T)


def lab_to_srgb(pixels: np.ndarray) -> np.ndarray:
    """What CIE L*a*b* under D50 is in sRGB: `[..., 3]` of 8 bits, of which a and b have a sign."""
    lightness, (a, b) = pixels[..., 0] * (100 / 255), np.moveaxis(pixels[..., 1:].astype(np.uint8).view(np.int8), -1, 0)
    y = (lightness + 16) / 116
    roots = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    return xyz_to_srgb(np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * WHITE)


def xyz_to_srgb(xyz: np.ndarray) -> np.ndarray:
    """Colours `[..., XYZ]` under D50, where white is 1, in sRGB: 0..255."""
    linear = np.clip(xyz @ np.linalg.inv(SRGB).T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _xyz(values: object) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(float(v) * 65536)) for v in values)  # type: ignore[attr-defined]


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"drawn\0"
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78), **tags}
    start = 128 + 4 + 12 * len(tags)
    index, body = b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        index += name + struct.pack(">II", start + len(body), len(data))
        body += data
    header = bytearray(128)
    header[0:4] = struct.pack(">I", start + len(body))
    header[8:12] = b"\x02\x10\0\0"
    header[12:16], header[16:20], header[20:24], header[36:40] = b"mntr", space, b"XYZ ", b"acsp"
    header[68:80] = b"".join(struct.pack(">i", round(value * 65536)) for value in WHITE)
    return bytes(header) + struct.pack(">I", len(tags)) + index + body
