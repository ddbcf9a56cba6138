from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearkin.data.decoding import decode
from nearkin.errors import PictureError

Y, X = np.mgrid[0:60, 0:75] / 60
SMOOTH = (np.clip(np.stack([X / 2, Y, (X + Y) / 2], axis=2), 0, 1) * 255).round().astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (60, 75, 3), dtype=np.uint8)
WRITERS = [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 3}, {"optimize": True}]
END = b"\xff\xd9"


def jpegs() -> Iterator[bytes]:
    for pixels in (SMOOTH, NOISE):
        yield encoded(Image.fromarray(pixels).convert("L"))
        yield encoded(Image.fromarray(pixels).convert("CMYK"))
        for options in WRITERS:
            yield encoded(Image.fromarray(pixels), **options)


def encoded(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=90, **options)
    return file.getvalue()


@pytest.mark.parametrize("end", [b"", b"\xff", b"\0\0\0", b"\0" * 500, END + b"junk", END + b"junk" + b"\0" * 40])
def test_a_jpeg_with_all_its_data_needs_no_end_mark(end: bytes) -> None:
    for jpeg in jpegs():
        assert jpeg.endswith(END)
        assert np.array_equal(np.asarray(decode(jpeg.removesuffix(END) + end)), np.asarray(decode(jpeg)))


@pytest.mark.parametrize("padding", [b"", b"\0" * 300])
def test_a_jpeg_that_lacks_data_is_refused_wherever_it_was_cut(padding: bytes) -> None:
    for jpeg in jpegs():
        whole = np.asarray(decode(jpeg))
        for cut in [*range(3, 30), *range(30, len(jpeg), 97)]:
            try:
                pixels = np.asarray(decode(jpeg[:-cut] + padding))
            except PictureError as error:
                assert "damaged: " in str(error) or "the file is empty" in str(error)  # noqa: PT017
            else:
                assert np.array_equal(pixels, whole), (
                    "bits were lost that change no pixel, or else it had to be refused"
                )


def test_scans_that_are_missing_are_noticed() -> None:
    jpeg = encoded(Image.fromarray(NOISE), progressive=True)
    starts = [at for at in range(len(jpeg)) if jpeg[at : at + 2] == b"\xff\xda"]
    # Cut behind the data of a scan: what is there is whole, but coarse.
    for start in starts[1:]:
        tables = jpeg.rfind(b"\xff\xc4", 0, start)
        with pytest.raises(PictureError, match=r"damaged: .*truncated"):
            decode(jpeg[: tables if tables > starts[0] else start])
