"""What counts as the same picture, saved again."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from nearkin.gallery.classes.copies import COPIES, LEAST, copies_of, copy_keys, copy_scores, look_alike
from tests.fakes import FakeEncoder
from tests.gallery.classes.drawn import draw_view


def encoded(image: Image.Image, form: str = "PNG", **options: int) -> bytes:
    file = BytesIO()
    image.convert("RGB").save(file, form, **options)
    return file.getvalue()


@pytest.fixture
def image(tmp_path: Path) -> Image.Image:
    with Image.open(draw_view(tmp_path / "a.png", 7)) as opened:
        return opened.convert("RGB")


def test_copies_are_copies_by_their_own_limit(image: Image.Image) -> None:
    encoder = FakeEncoder()
    copies = copies_of(encoded(image))
    assert len(copies) == COPIES == len(copy_keys("x"))
    [vector] = encoder.embed_images([image])
    of_copies = encoder.embed_images([Image.open(BytesIO(each)) for each in copies])
    [limit] = copy_scores(vector[None], of_copies[None])
    assert LEAST - 1e-4 <= limit < 1
    assert (of_copies @ vector >= limit).all()
    assert all(look_alike(encoded(image), each) for each in copies)


def test_a_picture_whose_copies_the_encoder_tells_apart_has_a_limit_that_holds_them() -> None:
    """As measured on a photo of caltech101: its copy at half the size has a cosine of 0.82."""
    vector, copies = np.eye(4)[0], np.zeros((3, 4))
    copies[:, 0] = 0.95, 0.82, 0.95
    copies[:, 1] = np.sqrt(1 - copies[:, 0] ** 2)
    [limit] = copy_scores(vector[None].astype(np.float32), copies[None].astype(np.float32))
    assert limit == pytest.approx(0.82, abs=1e-4)
    copies[:, 0] = 0.3
    assert copy_scores(vector[None], copies[None])[0] == pytest.approx(0.8, abs=1e-4)


def test_other_pictures_do_not_look_alike(image: Image.Image, tmp_path: Path) -> None:
    draw_view(tmp_path / "b.png", 8)
    for other in ((tmp_path / "b.png").read_bytes(), encoded(image.rotate(180)), encoded(ImageOps.invert(image))):
        assert not look_alike(encoded(image), other)


def test_pictures_without_contrast() -> None:
    grey, same, white = (encoded(Image.new("RGB", (20, 20), (level,) * 3)) for level in (100, 102, 255))
    assert look_alike(grey, same)
    assert not look_alike(grey, white)


def test_without_a_picture_there_is_nothing_against_it(image: Image.Image) -> None:
    assert look_alike(None, encoded(image))
    assert look_alike(encoded(image), None)


def test_a_picture_of_one_pixel() -> None:
    assert len(copies_of(encoded(Image.fromarray(np.zeros((1, 1, 3), np.uint8))))) == COPIES
