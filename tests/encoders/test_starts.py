"""Starts: found by name, checked, and taken wherever a model is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nearkin
from nearkin.encoders.artefact import Artefact
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.starts import STARTS, start_named
from nearkin.encoders.starts._efficientnet_lite import renamed
from nearkin.encoders.starts._start import PackagedFile
from nearkin.errors import ArtefactError, InvalidInput, MissingDependency
from nearkin.gallery.gallery import Gallery
from nearkin.tasks.frozen_backbone import frozen_backbone
from nearkin.training.settings import TrainSettings
from nearkin.training.train import train
from tests.training.small import SMALL

LITE = ("lite0", "lite012", "lite1", "lite2")


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No start is installed."""
    monkeypatch.setattr(PackagedFile, "find", lambda self: None)


@pytest.mark.parametrize("name", STARTS)
def test_a_start_says_what_it_is(name: str) -> None:
    start = STARTS[name]
    assert start.name == name
    assert "" not in (start.summary, start.licence, start.source, *start.packages)
    assert start.size > 0
    assert all(len(file.sha256) == 64 for file in start.files)


@pytest.mark.parametrize("name", LITE)
def test_the_packaged_weights_are_those_that_are_meant(name: str) -> None:
    if not STARTS[name].is_installed:
        pytest.skip(f"{name} is not installed")
    config, weights, card = STARTS[name].model()
    assert config["image"]["projection"] is False
    assert all(weight.isfinite().all() for weight in weights.values())
    assert card.startswith(f"# {name}")


def test_lite0_embeds_at_once_and_is_saved_as_any_model(tmp_path: Path) -> None:
    encoder = nearkin.Encoder.from_pretrained("lite0")
    pictures = [Image.effect_noise((90, 70), 40 + 20 * one).convert("RGB") for one in range(3)]
    vectors = encoder.embed_images(pictures)
    assert vectors.shape == (3, 1280)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    encoder.save_pretrained(tmp_path)
    again = Encoder.from_pretrained(tmp_path)
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(again.embed_images(pictures), vectors)
    # Earlier versions would look for a projection.
    assert json.loads((tmp_path / "config.json").read_text())["format"] == 3


def test_a_model_with_a_projection_is_written_as_before(tmp_path: Path) -> None:
    from nearkin.encoders.image import ImageTowerConfig

    assert "projection" not in ImageTowerConfig("conv4", 8).to_dict()
    assert ImageTowerConfig("conv4", 256, projection=False).to_dict()["projection"] is False


def test_without_projection_the_dimension_is_that_of_the_features() -> None:
    from nearkin.encoders.image import ImageTower, ImageTowerConfig

    with pytest.raises(InvalidInput, match="makes 1024 features"):
        ImageTower(ImageTowerConfig("conv4", 8, pooling="flatten", projection=False))


def test_a_folder_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert start_named("lite0") is not None
    Path("lite0").mkdir()
    assert start_named("lite0") is None
    with pytest.raises(ArtefactError, match=r"'lite0' holds no model.*it hides the start 'lite0'"):
        Encoder.from_pretrained("lite0")


def test_a_start_that_is_not_installed_says_what_installs_it(absent: None) -> None:
    with pytest.raises(MissingDependency, match=r"'lite1' needs .*: pip install 'nearkin\[lite\]'"):
        Artefact.read("lite1")


def test_a_name_that_is_no_start_lists_them() -> None:
    with pytest.raises(ArtefactError, match=r"or a start \(.*lite0"):
        Encoder.from_pretrained("lite9")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    file = PackagedFile("package", "module", "weights.pth", 4, "0" * 64)
    found = replace(file)
    object.__setattr__(found, "find", lambda: path)
    path.write_bytes(b"abc")
    with pytest.raises(ArtefactError, match="has 3 bytes, expected 4"):
        found.checked("lite", "start 'x'")
    path.write_bytes(b"abcd")
    with pytest.raises(ArtefactError, match="another SHA-256"):
        found.checked("lite", "start 'x'")


def test_weights_of_another_shape_are_refused() -> None:
    ours = {"a": torch.zeros(2), "b": torch.zeros(3, 2)}
    assert list(renamed({"x": torch.ones(2), "y": torch.ones(3, 2)}, ours, "file")) == ["a", "b"]
    with pytest.raises(ArtefactError, match="1 tensors, expected 2"):
        renamed({"x": torch.ones(2)}, ours, "file")
    with pytest.raises(ArtefactError, match=r"y is \(2, 2\), b is \(3, 2\)"):
        renamed({"x": torch.ones(2), "y": torch.ones(2, 2)}, ours, "file")


def test_training_begins_at_a_start(tmp_path: Path) -> None:
    from nearkin.encoders.image import ImageTower, ImageTowerConfig

    tower = ImageTower(ImageTowerConfig("tf_efficientnet_lite0", 16, height=64, width=64), "lite0")
    frozen = Encoder.from_pretrained("lite0").image.backbone.state_dict()
    for name, tensor in tower.backbone.state_dict().items():
        assert torch.equal(tensor, frozen[name])
    assert not tower.has_trained_projection


def test_a_gallery_keeps_its_start(tmp_path: Path, shapes: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", Encoder.from_pretrained("lite0"))
    gallery.add(shapes / "tree" / "red circle")
    opened = Gallery.open(tmp_path / "gallery")
    assert opened.search(shapes / "tree" / "red circle" / "3.png", k=3)[0].score > 0.999
    with pytest.raises(InvalidInput, match="embeds pictures only"):
        opened.search("a red circle")


def test_training_takes_the_network_of_its_start(tmp_path: Path, shapes: Path) -> None:
    assert TrainSettings.checked(weights="lite0").backbone == "tf_efficientnet_lite0"
    options = {key: value for key, value in SMALL.items() if key != "backbone"}
    options |= {"size": 32, "epochs": 1, "learning_rate": 1e-12, "weights": "lite0"}
    trained = train(shapes / "tree", out=tmp_path / "run", **options)
    start = Encoder.from_pretrained("lite0").image.backbone.state_dict()
    for name, tensor in trained.image.backbone.state_dict().items():
        torch.testing.assert_close(tensor, start[name], msg=name)
    frozen = frozen_backbone(trained, "lite0")
    assert frozen.dim == 1280
    picture = next((shapes / "tree" / "red circle").iterdir())
    assert frozen.embed_images([picture]).shape == (1, 1280)
    with pytest.raises(InvalidInput, match="--weights lite0 has the backbone tf_efficientnet_lite0"):
        train(shapes / "tree", out=tmp_path / "other", **{**options, "backbone": "conv4"})
