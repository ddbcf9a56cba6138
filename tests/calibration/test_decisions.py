import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nearkin.calibration.curve import Curve
from nearkin.calibration.decisions import Calibration
from nearkin.calibration.probability import ProbabilityMap
from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.errors import ArtefactError, EncoderMismatch, InvalidInput
from nearkin.evaluation import fit_calibration
from tests.drawn_classes import draw_classes


@pytest.fixture(scope="module")
def calibration():
    vectors, ids = draw_classes(50, 3)
    return fit_calibration(vectors, ids, fingerprint="f", source="people", notes=["a note"])


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=32, width=32))


def test_verdicts_by_where_the_score_lies(calibration):
    limit = calibration.threshold(0.01)
    assert limit.low < limit.score < limit.high
    scores = [limit.low - 0.01, limit.low, limit.score, limit.high, limit.high + 0.01]
    decisions = [verdict.decision for verdict in calibration.verdicts(scores, far=0.01)]
    assert decisions == ["different", "not sure", "not sure", "not sure", "same"]


def test_what_a_verdict_says(calibration):
    verdict = calibration.verdicts(0.5)[0]
    assert verdict.euclidean == pytest.approx(1.0)
    assert verdict.cosine_distance == pytest.approx(0.5)
    assert verdict.far_low <= verdict.far <= verdict.far_high
    assert verdict.threshold == calibration.threshold(calibration.default_far)
    assert verdict.prior == 0.5
    # Of a score of little more than 1, as rounding makes it, the distance is 0.
    near, equal = calibration.verdicts([0.98, 1 + 1e-7])
    assert (near.euclidean, equal.euclidean) == (pytest.approx(0.2), 0.0)


@pytest.mark.parametrize(("comparisons", "fars"), [(2_000, 2), (11_025, 3), (10**6, 5), (10**7, 6)])
def test_the_default_is_the_lowest_power_of_ten_down_to_a_thousandth(calibration, comparisons, fars):
    other = replace(calibration, counts={"different_comparisons": comparisons})
    assert other.fars == pytest.approx([10.0**-power for power in range(1, fars + 1)])
    assert other.default_far == pytest.approx(max(1e-3, 10.0**-fars))


def test_what_is_not_stated():
    curve = Curve((0.0,), (1.0,), (1.0,), (1.0,), (1.0,), (1.0,), (1.0,))
    known = ProbabilityMap("logistic", (0.0, 1.0), (-1.0, 1.0), 0.0, (), (), ())
    bare = Calibration(fingerprint="f", source="s", counts={}, curve=curve, map=known)
    assert (bare.prior, bare.different_comparisons) == (0.5, 0)
    np.testing.assert_allclose(bare.probability([0.0, 0.5, 1.0]), [1 / (1 + np.e), 0.5, np.e / (1 + np.e)])


def test_far_at_a_threshold_is_the_wanted_one(calibration):
    for far in (0.5, 0.1, 0.03, 0.01):
        found = calibration.false_accept_rate(calibration.threshold(far).score)[0, 0]
        assert found == pytest.approx(far, rel=0.1)
    assert calibration.threshold(0.01).score > calibration.threshold(0.1).score


def test_probability_rises_and_follows_the_prior(calibration):
    scores = np.linspace(-1, 1, 101)
    half, rare = calibration.probability(scores), calibration.probability(scores, prior=0.01)
    assert (np.diff(half) >= 0).all()
    np.testing.assert_allclose(rare / (1 - rare), half / (1 - half) * (0.01 / 0.99))


def test_far_below_the_data_is_refused_with_what_is_supported(calibration):
    assert calibration.least_far == pytest.approx(10 / 11025)
    with pytest.raises(
        InvalidInput, match=r"far 0\.0001 needs at least 100,000 comparisons .* has 11,025: .* 0\.00091"
    ):
        calibration.threshold(1e-4)
    for far in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(InvalidInput, match="more than 0 and less than 1"):
            calibration.threshold(far)
    for prior in (0.0, 1.0):
        with pytest.raises(InvalidInput, match="prior is"):
            calibration.verdicts(0.5, prior=prior)
    with pytest.raises(InvalidInput, match="score 1 is not a finite number"):
        calibration.verdicts([0.5, np.nan])
    with pytest.raises(InvalidInput, match="score 1 is not a finite number"):
        calibration.verdicts([0.5, -np.inf])


def test_json_there_and_back(calibration):
    values = json.loads(json.dumps(calibration.to_dict()))
    assert Calibration.from_dict(values) == calibration
    assert [limit["far"] for limit in values["thresholds"]] == [0.1, 0.01, 0.001]
    with pytest.raises(ArtefactError, match="calibration is damaged"):
        Calibration.from_dict({name: value for name, value in values.items() if name != "curve"})
    with pytest.raises(ArtefactError, match="reads up to 2"):
        Calibration.from_dict({**values, "format": 3})


def test_a_calibration_of_0_1_0_opens_and_says_what_it_counts():
    values = json.loads(Path(__file__).with_name("calibration_0_1_0.json").read_text())
    old = Calibration.from_dict(values)
    assert old.weighting == "classes"
    assert old.notes[0] == "a note"
    assert "nearkin 0.1.0: error rates weight classes equally" in old.notes[1]
    # Its rates go down as far as it said, by pairs of classes.
    assert old.fars == (0.1,)
    assert old.threshold(0.1).weighting == "classes"
    assert old.threshold(0.1).tar == pytest.approx(values["thresholds"][0]["tar"], abs=0.01)
    # Written again it stays what it is.
    assert Calibration.from_dict(json.loads(json.dumps(old.to_dict()))) == old


def test_it_stays_with_the_encoder(calibration, encoder, tmp_path):
    encoder.calibration = replace(calibration, fingerprint=encoder.fingerprint)
    again = Encoder.from_pretrained(encoder.save_pretrained(tmp_path / "model"))
    assert again.calibration == encoder.calibration
    encoder.calibration = None
    encoder.save_pretrained(tmp_path / "model")
    assert Encoder.from_pretrained(tmp_path / "model").calibration is None


def test_encoder_verifies(calibration, encoder):
    encoder.calibration = replace(calibration, fingerprint=encoder.fingerprint)
    one, two = np.random.default_rng(0).integers(0, 256, size=(2, 32, 32, 3), dtype=np.uint8)
    verdict = encoder.verify(one, two, far=0.1)
    assert verdict.score == pytest.approx(float(np.prod(encoder.embed_images([one, two]), axis=0).sum()), abs=1e-6)
    assert encoder.verify(one, one, far=0.1).decision == "same"


def test_a_model_without_calibration_says_how_to_get_one(encoder):
    with pytest.raises(InvalidInput, match="nearkin calibrate MODEL DATA"):
        encoder.verify(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8))


def test_other_weights_are_refused(calibration, encoder):
    encoder.calibration = replace(calibration, fingerprint=encoder.fingerprint)
    with torch.no_grad():
        encoder.image.projection.bias += 1
    with pytest.raises(EncoderMismatch, match="make a new one"):
        encoder.verify(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8))
