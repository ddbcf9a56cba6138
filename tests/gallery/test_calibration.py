"""A gallery's copy of its model follows the model's calibration, which may be made after the gallery."""

import json
import os
from pathlib import Path

import pytest

from nearkin.cli.commands.index import index
from nearkin.cli.commands.reindex import reindex
from nearkin.encoders.encoder import Encoder
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.evaluation import fit_calibration
from nearkin.gallery.gallery import Gallery
from tests.cli.test_index_search import make_encoder, run
from tests.drawn_classes import draw_classes
from tests.fakes import draw_noise


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    draw_noise(tmp_path / "data" / "cat", range(3))
    gallery = Gallery.create(tmp_path / "gallery", make_encoder(0))
    gallery.add(tmp_path / "data")
    with pytest.raises(InvalidInput, match=r"has no calibration.*`nearkin reindex GALLERY --model MODEL` brings it"):
        gallery.search(tmp_path / "data" / "cat" / "0.png", honest=True)
    return tmp_path / "gallery"


def calibrated(seed: int = 0, *, classes: int = 20) -> Encoder:
    encoder = make_encoder(seed)
    vectors = draw_classes(classes, 2)
    encoder.calibration = fit_calibration(*vectors, fingerprint=encoder.fingerprint, method="logistic")
    return encoder


def own_calibration(gallery: Path) -> object:
    return Gallery.open(gallery).encoder.calibration  # type: ignore[attr-defined]


def test_index_takes_it_over_and_says_so(gallery: Path, tmp_path: Path) -> None:
    model = calibrated().save_pretrained(tmp_path / "model")
    told = "the model's calibration is now the gallery's too"
    assert told in run(index, model, tmp_path / "data", gallery).stderr
    assert Gallery.open(gallery).search(tmp_path / "data" / "cat" / "0.png", honest=True)[0].id == 0
    assert told not in run(index, model, tmp_path / "data", gallery).stderr
    assert json.loads(run(index, model, tmp_path / "data", gallery, "--json").stdout)["calibrated"] is False
    # And a newer one replaces it.
    newer = calibrated(classes=30)
    assert Gallery.open(gallery, newer).add(tmp_path / "data").calibrated
    assert own_calibration(gallery) == newer.calibration


def test_reindex_takes_it_over_without_embedding(gallery: Path, tmp_path: Path) -> None:
    model = calibrated().save_pretrained(tmp_path / "model")
    assert "as before; its calibration is new" in run(reindex, gallery, "--model", model).stdout
    assert own_calibration(gallery) is not None
    with pytest.raises(InvalidInput, match=r"has encoder .* already"):
        run(reindex, gallery, "--model", model)


def test_an_encoder_that_an_earlier_version_needs_gets_its_new_calibration_too(gallery: Path, tmp_path: Path) -> None:
    Gallery.open(gallery).reindex(make_encoder(1))
    Gallery.open(gallery).reindex(calibrated())
    assert own_calibration(gallery) is not None


def test_a_model_without_a_calibration_takes_none_away(gallery: Path, tmp_path: Path) -> None:
    Gallery.open(gallery).reindex(calibrated())
    summary = Gallery.open(gallery, make_encoder(0)).add(tmp_path / "data")
    assert not summary.calibrated
    assert own_calibration(gallery) is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_gallery_whose_models_cannot_be_written(gallery: Path) -> None:
    (folder,) = (gallery / "encoders").iterdir()
    folder.chmod(0o500)
    try:
        with pytest.raises(ArtefactError, match="cannot be written"):
            Gallery.open(gallery).reindex(calibrated())
    finally:
        folder.chmod(0o700)
