import pytest

from nearkin.data.pairs import Pairs
from nearkin.errors import EncoderMismatch, InvalidInput, PictureError, SourceError
from nearkin.evaluation import fit_calibration
from nearkin.tasks import verify as module
from nearkin.tasks.verify import Tally, verify_pairs
from tests.drawn_classes import draw_classes
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture(scope="module")
def calibration():
    return fit_calibration(*draw_classes(20, 2), fingerprint="fake-16", method="logistic")


@pytest.fixture
def pairs(tmp_path):
    draw_noise(tmp_path, range(6))
    rows = ["a,b,same", "0.png,1.png,0", "0.png,0.png,1", "1.png,2.png,", "3.png,4.png,0", "0.png,1.png,0"]
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    return Pairs(tmp_path / "pairs.csv")


def test_verdicts_in_order_each_picture_embedded_once(pairs, calibration):
    encoder, seen = FakeEncoder(), []
    found = list(verify_pairs(encoder, calibration, pairs, progress=lambda done, total: seen.append((done, total))))
    assert encoder.embedded == 5
    assert seen == [(5, 5)]
    vectors = encoder.embed_images([pairs.path.parent / f"{number}.png" for number in range(5)])
    for verified, (one, two) in zip(found, [(0, 1), (0, 0), (1, 2), (3, 4), (0, 1)], strict=True):
        assert verified.verdict.score == pytest.approx(float(vectors[one] @ vectors[two]), abs=1e-6)
    assert found[1].verdict.decision == "same"


def test_memory_is_bounded(pairs, calibration, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1)
    monkeypatch.setattr(module, "KEPT", 0)
    encoder = FakeEncoder()
    found = list(verify_pairs(encoder, calibration, pairs))
    # Two vectors are kept: the last pair's pictures have to be embedded again.
    assert encoder.embedded == 7
    assert found[0].verdict == found[4].verdict


def test_tally(pairs, calibration):
    tally = Tally()
    for verified in verify_pairs(FakeEncoder(), calibration, pairs, far=0.5):
        tally.add(verified)
    counts = tally.to_dict()
    assert counts["pairs"] == 5
    assert tally.known == {True: 1, False: 3}
    assert counts["tar"] == 1.0
    assert counts["far"] * 3 == tally.accepted[False]


def test_bad_input(pairs, calibration, tmp_path):
    with pytest.raises(EncoderMismatch):
        next(verify_pairs(FakeEncoder(name="other"), calibration, pairs))
    with pytest.raises(InvalidInput, match="far 1e-05 needs at least"):
        next(verify_pairs(FakeEncoder(), calibration, pairs, far=1e-5))
    (tmp_path / "2.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"pairs\.csv: row 4: .*2\.png"):
        list(verify_pairs(FakeEncoder(), calibration, pairs))
    (tmp_path / "2.png").unlink()
    encoder = FakeEncoder()
    with pytest.raises(SourceError, match=r"row 4: no picture '.*2\.png'"):
        list(verify_pairs(encoder, calibration, pairs))
    assert encoder.embedded == 0
