import numpy as np
import pytest

from nearkin.data.items import Items, Picture
from nearkin.encoders.training_hashes import hash_pixels
from nearkin.training.finish import calibrate_held_out, hash_training_data, write_reliability
from nearkin.training.prepare import prepare
from nearkin.training.settings import TrainSettings
from tests.fakes import draw_noise
from tests.training.small import SMALL


def prepared(folder, val_fraction):
    """20 classes of 2 small pictures each."""
    paths = draw_noise(folder, range(40))
    labels = [f"class {number // 2}" for number in range(40)]
    items = Items.build([Picture(str(path)) for path in paths], labels=labels, source="/data/noise")
    return prepare(items, TrainSettings.checked(**SMALL, size=32, val_fraction=val_fraction))


def embedded(ready):
    pixels = ready.val.cache.batch(ready.val.cache_rows)
    return ready.encoder.eval().embed_pixels(pixels)


def test_a_calibration_on_the_held_out_classes(tmp_path):
    ready = prepared(tmp_path / "pictures", 0.8)
    calibration, note = calibrate_held_out(ready.encoder, ready.val, embedded(ready), seed=0)
    assert calibration is not None
    assert (calibration.fingerprint, calibration.counts["classes"]) == (ready.encoder.fingerprint, 16)
    assert calibration.source == "held-out classes of noise"
    assert "rates of 0.1 are kept" in note
    write_reliability(calibration, tmp_path / "r.svg")
    assert (tmp_path / "r.svg").read_text().startswith("<svg")


def test_too_few_classes_give_a_reason(tmp_path):
    ready = prepared(tmp_path, 0.2)
    calibration, note = calibrate_held_out(ready.encoder, ready.val, embedded(ready), seed=0)
    assert calibration is None
    assert note.startswith("No thresholds: a calibration needs at least 15 classes")
    write_reliability(None, tmp_path / "r.svg")
    assert not (tmp_path / "r.svg").exists()


@pytest.mark.parametrize("val_fraction", [0.2, 0.5])
def test_the_hashes_know_what_was_trained_on(tmp_path, val_fraction):
    ready = prepared(tmp_path, val_fraction)
    training_hashes = hash_training_data(ready.train, seed=0)
    assert training_hashes.total == len(ready.train.items)
    assert training_hashes.knows_classes(ready.train.items.labels).all()
    assert not training_hashes.knows_classes(ready.val.items.labels).any()
    trained, held_out = (side.cache.batch(side.cache_rows) for side in (ready.train, ready.val))
    assert set(hash_pixels(trained).tolist()) == set(training_hashes.pictures.tolist())
    assert not np.isin(hash_pixels(held_out), training_hashes.pictures).any()
