"""Whitening: by its formula, as part of the encoder, and in galleries."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nearkin.cli import main
from nearkin.data.images import Preprocessing
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.whitening import whitened, whitening
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from tests.cli.test_index_search import make_encoder


def make_start(seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    config = ImageTowerConfig(
        "conv4", dim=16, height=32, width=32, pooling="avg", options={"width": 16}, projection=False
    )
    return Encoder(ImageTower(config), Preprocessing(height=32, width=32)).eval()


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def test_by_its_formula() -> None:
    vectors = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([5.0, 2, 1, 0.1]) + 3
    mean, matrix = whitening(vectors.split(20), shrinkage=0.0, power=0.5)
    white = (vectors.double() - mean) @ matrix
    torch.testing.assert_close(white.T @ white / 50, torch.eye(4, dtype=torch.float64), atol=1e-6, rtol=0)
    # With a power of 1/4 a variance becomes its square root; a shrinkage of 1 leaves directions as strong as they were.
    _, half = whitening([vectors], shrinkage=0.0, power=0.25)
    torch.testing.assert_close(half @ half, matrix, atol=1e-6, rtol=1e-5)
    _, same = whitening([vectors], shrinkage=1.0)
    torch.testing.assert_close(same / same[0, 0], torch.eye(4, dtype=torch.float64), atol=1e-9, rtol=0)


@pytest.mark.parametrize("vectors", [torch.ones(1, 3), torch.ones(9, 3), torch.zeros(0, 3)])
def test_too_little_is_refused(vectors: torch.Tensor) -> None:
    with pytest.raises(InvalidInput, match="leave --whiten out"):
        whitening([vectors])


@pytest.mark.parametrize("projection", [False, True])
def test_the_map_is_part_of_the_encoder(shapes: Path, tmp_path: Path, projection: bool) -> None:
    encoder = make_start()
    if projection:
        encoder = whitened(encoder, read_items(shapes / "tree").pictures)
    pictures = read_items(shapes / "tree").pictures
    with torch.inference_mode():
        pixels = np.stack([encoder.preprocessing.apply(_opened(one.uri)) for one in pictures])
        before = encoder.image(encoder.normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)).double()
    mean, matrix = whitening([before])
    expected = torch.nn.functional.normalize((before - mean) @ matrix, dim=1)
    new = whitened(encoder, pictures)
    np.testing.assert_allclose(new.embed_images(pictures), expected, atol=1e-4)
    assert new.fingerprint != encoder.fingerprint
    again = Encoder.from_pretrained(new.save_pretrained(tmp_path / "saved"))
    np.testing.assert_array_equal(again.embed_images(pictures), new.embed_images(pictures))


def _opened(path: str):
    from nearkin.data.images import decode

    return decode(path)


def test_texts_would_stay_behind(shapes: Path) -> None:
    with pytest.raises(InvalidInput, match="embeds more than pictures"):
        whitened(make_encoder(0), read_items(shapes / "tree").pictures)


def test_a_gallery_keeps_its_whitening(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_start().save_pretrained("model")
    make_start(1).save_pretrained("other")
    tree = shapes / "tree"
    assert run("index", "model", tree / "red circle", "gallery", "--whiten") == 0
    first = Gallery.open("gallery").fingerprint
    assert run("index", "model", tree / "blue square", "gallery", "--whiten") == 0
    assert "8 added" in capsys.readouterr().out
    assert Gallery.open("gallery").fingerprint == first
    assert Gallery.open("gallery").search(tree / "blue square" / "1.png", k=1)[0].score > 0.999
    assert run("index", "other", tree / "blue square", "gallery", "--whiten") == 2
    assert "is no whitened form of" in capsys.readouterr().err
    assert run("index", "model", tree / "blue square", "gallery") == 2
    assert run("embed", "model", tree / "red circle", "--whiten", "--out", "v.npy") == 0
    assert run("embed", "model", "--text", "x", "--whiten") == 2
    assert run("evaluate", "model", tree, "--whiten", "--protocol", "retrieval") == 0
