import gc
import json
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nearkin.data.images import Preprocessing, content_hash, stream_pixels
from nearkin.data.items import Picture
from nearkin.errors import InvalidInput, PictureError, UnknownName

SMALL = Preprocessing(height=4, width=6, channels=1)


def grey(value: int) -> bytes:
    file = BytesIO()
    Image.new("L", (12, 8), value).save(file, "PNG")
    return file.getvalue()


def pictures(values: list[int | None]) -> list[Picture]:
    """Pictures of one grey; broken ones for None."""
    return [
        Picture(f"row {row}", lambda value=value: b"text" if value is None else grey(value))
        for row, value in enumerate(values)
    ]


def test_squash_uses_all_of_the_picture() -> None:
    image = Image.new("L", (40, 10), 255)
    image.paste(0, (20, 0, 40, 10))
    pixels = Preprocessing(height=8, width=8, channels=1).apply(image)[..., 0]
    assert pixels.shape == (8, 8)
    assert pixels[:, :3].min() == 255
    assert pixels[:, 5:].max() == 0


def test_crop_takes_the_middle() -> None:
    image = Image.new("RGB", (30, 10), "red")
    image.paste((0, 0, 255), (10, 0, 20, 10))
    pixels = Preprocessing(height=6, width=6, fit="crop").apply(image)
    # At the edge of the crop, the antialiasing sees its neighbours.
    assert (pixels[:, 1:-1] == (0, 0, 255)).all()
    assert (pixels[:, [0, -1], 2] > 200).all()


def test_pad_adds_white_on_both_sides() -> None:
    pixels = Preprocessing(height=8, width=8, fit="pad").apply(Image.new("RGB", (40, 20), "black"))[..., 0]
    assert pixels[[0, 1, 6, 7]].min() == 255
    assert pixels[2:6].max() == 0


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_any_shape_fits(fit: str, size: tuple[int, int]) -> None:
    pixels = Preprocessing(height=8, width=5, channels=1, fit=fit).apply(Image.new("RGB", size))
    assert pixels.shape == (8, 5, 1)
    assert pixels.flags.writeable


def test_one_channel_is_luminance() -> None:
    pixels = Preprocessing(height=1, width=1, channels=1).apply(Image.new("RGB", (1, 1), (100, 150, 200)))
    assert pixels.item() == round(0.299 * 100 + 0.587 * 150 + 0.114 * 200)


def test_shrinking_averages_and_does_not_skip() -> None:
    stripes = Image.fromarray(np.tile(np.array([0, 255], dtype=np.uint8), (64, 32)))
    pixels = Preprocessing(height=8, width=8, channels=1).apply(stripes)
    assert np.abs(pixels.astype(int) - 127).max() <= 8


def test_the_key_names_what_changes_pixels_and_nothing_else() -> None:
    plain = Preprocessing()
    assert plain.key() == Preprocessing(mean=(0.1, 0.2, 0.3), std=(1.0,)).key()
    others = [Preprocessing(height=65), Preprocessing(width=65), Preprocessing(channels=1), Preprocessing(fit="pad")]
    assert len({preprocessing.key() for preprocessing in [plain, *others]}) == 5


def test_a_way_through_json() -> None:
    preprocessing = Preprocessing(height=32, channels=3, fit="crop", mean=(0.1, 0.2, 0.3))
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


@pytest.mark.parametrize(
    "values",
    [{"height": 0}, {"channels": 2}, {"mean": (0.5, 0.5)}, {"std": (0.0,)}, {"channels": 1, "mean": (0.1, 0.2, 0.3)}],
)
def test_other_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        Preprocessing.from_dict(values)


def test_other_names_are_refused() -> None:
    with pytest.raises(UnknownName, match="unknown fit 'crops'"):
        Preprocessing(fit="crops")
    with pytest.raises(InvalidInput, match="colour"):
        Preprocessing.from_dict({"colour": True})


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.integers(0, 255)), max_size=40),
    batch_size=st.integers(1, 20),
    threads=st.integers(1, 4),
)
def test_a_stream_is_a_loop_over_pictures(values: list[int | None], batch_size: int, threads: int) -> None:
    batches = list(stream_pixels(pictures(values), SMALL, batch_size=batch_size, threads=threads))
    rows = [row for batch in batches for row in batch.rows.tolist()]
    assert rows == [row for row, value in enumerate(values) if value is not None]
    assert [int(pixels[0, 0, 0]) for batch in batches for pixels in batch.pixels] == [values[row] for row in rows]
    assert [name for batch in batches for name in batch.hashes] == [content_hash(grey(values[row])) for row in rows]
    assert [broken.uri for batch in batches for broken in batch.broken] == [
        f"row {row}" for row, value in enumerate(values) if value is None
    ]
    assert len(batches) == -(-len(values) // batch_size)
    assert all(batch.pixels.shape[1:] == (4, 6, 1) for batch in batches)


def test_broken_ones_say_why(tmp_path: Path) -> None:
    missing = Picture(str(tmp_path / "none.png"))
    (batch,) = stream_pixels([missing, *pictures([None])], SMALL)
    assert [broken.reason for broken in batch.broken] == [
        "No such file or directory",
        "no picture in a known format (JPEG, PNG, GIF, WEBP, BMP, DIB, TIFF, PPM, AVIF, HEIF)",
    ]


def test_strict_raises_at_the_first_broken_one() -> None:
    with pytest.raises(PictureError, match="row 3: no picture"):
        list(stream_pixels(pictures([1, 2, 3, None, 5, None]), SMALL, batch_size=2, strict=True))


def test_known_content_is_not_decoded() -> None:
    (batch,) = stream_pixels(pictures([1, 2, 3]), SMALL, known={content_hash(grey(2))})
    assert batch.rows.tolist() == [0, 2]
    assert batch.known == {1: content_hash(grey(2))}


def test_a_stream_reads_no_further_ahead_than_it_says() -> None:
    read = []
    many = [Picture(str(row), lambda row=row: read.append(row) or grey(0)) for row in range(2000)]
    stream = stream_pixels(many, SMALL, batch_size=16, threads=2)
    next(stream)
    time.sleep(0.2)
    assert len(read) <= 16 + 16 + 8 * (2 * 2 + 1)


def test_a_stream_that_is_left_early_ends_its_threads() -> None:
    before = threading.active_count()
    for _ in stream_pixels(pictures([1] * 100), SMALL, batch_size=4, threads=3):
        break
    gc.collect()
    assert threading.active_count() == before


def test_an_error_of_the_callers_own_comes_through() -> None:
    def fail() -> bytes:
        raise KeyError("a fault in the program")

    with pytest.raises(KeyError, match="a fault in the program"):
        list(stream_pixels([Picture("row", fail)], SMALL))
