"""Little data: trained, or refused with a message that names the source and what is missing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.errors import SourceError
from nearkin.evaluation.report import Report
from nearkin.training.train import train
from tests.training.small import SMALL

OPTIONS = {**SMALL, "epochs": 1, "size": 32}


def pictures(folder: Path, counts: dict[str, int]) -> Path:
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            noise = np.random.default_rng([len(label), number]).integers(256, size=(32, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / label / f"{number}.png")
    return folder


def test_two_classes_of_four(tmp_path: Path) -> None:
    train(pictures(tmp_path / "data", {"a": 4, "bb": 4}), out=tmp_path / "x", **OPTIONS)
    report = Report.read(tmp_path / "x" / "report.json")
    assert report.counts["queries"] == 4
    assert any("No thresholds" in note for note in report.notes)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": 8}, "of one class, 'a'"),
        ({"a": 1, "bb": 1, "ccc": 1}, "too few pictures to hold some out"),
        ({"a": 2, "bb": 2}, "0 of them with two pictures or more"),
        ({"a" * n: 1 for n in range(1, 9)}, "2 pictures of 2 classes, 0 of them with two pictures or more"),
    ],
)
def test_too_little_is_refused_by_name(tmp_path: Path, counts: dict[str, int], message: str) -> None:
    data = pictures(tmp_path / "data", counts)
    with pytest.raises(SourceError, match=message) as refused:
        train(data, out=tmp_path / "x", **OPTIONS)
    assert str(data) in str(refused.value)


def test_classes_of_one_picture_need_a_loss_that_classifies(tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", {"a" * n: 1 for n in range(1, 9)})
    with pytest.raises(SourceError, match=r"each class has one picture .*--loss softmax"):
        train(data, out=tmp_path / "x", val_fraction=0, **OPTIONS)
    train(data, out=tmp_path / "x", val_fraction=0, loss="softmax", **OPTIONS)
    report = Report.read(tmp_path / "x" / "report.json")
    assert report.figures == {}
    assert "nothing says how good it is" in report.notes[0]


def test_two_captions(tmp_path: Path) -> None:
    pictures(tmp_path, {"a": 2})
    table = tmp_path / "t.csv"
    table.write_text("path,caption\na/0.png,one\na/1.png,two\n")
    with pytest.raises(SourceError, match="expected at least two pictures with captions"):
        train(table, out=tmp_path / "x", **OPTIONS)


def test_a_training_goes_on_from_an_own_model(tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", {"a": 4, "bb": 4})
    first = train(data, out=tmp_path / "x", **OPTIONS)
    for weights in ("x", "x/model", "x/model/model.safetensors", "x/checkpoints/best.pt"):
        out = tmp_path / f"from {weights.replace('/', ' ')}"
        again = train(data, out=out, weights=str(tmp_path / weights), **{**OPTIONS, "learning_rate": 1e-12})
        np.testing.assert_allclose(
            again.image.projection.weight.detach().numpy(), first.image.projection.weight.detach().numpy(), atol=1e-6
        )
    with pytest.raises(Exception, match=r"has the backbone conv4.*add --backbone conv4"):
        train(data, out=tmp_path / "y", weights=str(tmp_path / "x"), **{**OPTIONS, "backbone": "resnet12"})
