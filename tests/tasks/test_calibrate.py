import numpy as np
import pytest
from PIL import Image

from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput, SourceError, UnknownName
from nearkin.evaluation.leakage import hash_training
from nearkin.tasks.calibrate import calibrate
from nearkin.tasks.evaluate import evaluate
from tests.fakes import FakeEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """16 classes of 3 pictures: a pattern each, with noise."""
    root = tmp_path_factory.mktemp("classes")
    generator = np.random.default_rng(0)
    for number in range(16):
        pattern = generator.integers(40, 216, size=(4, 4, 3)).repeat(4, 0).repeat(4, 1)
        (root / f"class{number:02}").mkdir()
        for copy in range(3):
            pixels = (pattern + generator.integers(-40, 40, size=(16, 16, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(root / f"class{number:02}" / f"{copy}.png")
    return root


class Carrying(FakeEncoder):
    training_hashes = calibration = word_calibration = None


def items(folder, splits):
    files = sorted(folder.rglob("*.png"))
    chosen = [splits[row % len(splits)] for row in range(len(files))]
    return Items.build([Picture(str(f)) for f in files], labels=[f.parent.name for f in files], splits=chosen)


def test_the_encoder_carries_what_its_scores_mean(folder):
    encoder = Carrying()
    calibration = calibrate(encoder, folder, prior=0.1)
    assert encoder.calibration is calibration
    assert (calibration.fingerprint, calibration.prior, calibration.source) == ("fake-16", 0.1, folder.name)
    assert calibration.counts["classes"] == 16
    assert "unknown" in calibration.notes[0]
    assert calibration.threshold(0.1).tar > 0.8


@pytest.mark.parametrize(
    ("splits", "split", "pictures"),
    [(["val", "train", "val"], None, 32), (["test", "train", "test"], None, 32), (["train"] * 3, "all", 48)],
)
def test_which_pictures(folder, splits, split, pictures):
    assert calibrate(Carrying(), items(folder, splits), split=split).counts["pictures"] == pictures


def test_training_pictures_are_refused_or_noted(folder):
    encoder = Carrying()
    files = sorted(folder.rglob("*.png"))
    pixels = np.stack([encoder.preprocessing.apply(Image.open(file)) for file in files[:6]])
    encoder.training_hashes = hash_training([pixels], ["class00", "class01"], total=6)
    with pytest.raises(InvalidInput, match=r"trained on 6 of these 48 pictures.*validation\.csv.*--force"):
        calibrate(encoder, folder)
    assert encoder.calibration is None
    notes = " ".join(calibrate(encoder, folder, force=True).notes)
    assert "Trained on: 2 of 16 classes" in notes
    assert "Trained on: 6 of 48 pictures" in notes


def test_bad_input(folder):
    with pytest.raises(UnknownName, match="unknown split"):
        calibrate(Carrying(), folder, split="validation")
    with pytest.raises(SourceError, match="all pictures are of split 'train'"):
        calibrate(Carrying(), items(folder, ["train"]))
    with pytest.raises(InvalidInput, match="has no labels"):
        calibrate(Carrying(), Items.build(items(folder, ["val"]).pictures))
    with pytest.raises(InvalidInput, match="needs at least 15 classes; you have 10"):
        # Before any picture is embedded.
        calibrate(
            Carrying(), items(folder, ["val"]).select(range(30)), progress=lambda done, total: pytest.fail("embedded")
        )


def test_evaluate_writes_a_page_with_its_numbers(folder, tmp_path):
    encoder = Carrying()
    encoder.calibration = calibrate(encoder, folder)
    report = evaluate(encoder, folder, page=tmp_path / "out.html", command="nearkin evaluate")
    page = (tmp_path / "out.html").read_text()
    assert "fake-16" in page
    assert page.count("data:image/jpeg;base64,") > 10
    assert "thresholds hold here" in page
    diagnostics = report.to_dict()["diagnostics"]
    assert len(diagnostics["pictures"]) == 48
    assert diagnostics["curve"]["far"][0] == pytest.approx(1.0)
    assert type(report).from_dict(report.to_dict()).diagnostics["classes"][0]["name"].startswith("class")
    evaluate(encoder, folder, page=tmp_path / "missing" / "out.html")
    assert (tmp_path / "missing" / "out.html").exists()
