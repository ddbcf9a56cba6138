"""Zero-shot as a protocol: what is asked, the baseline by the nearest picture's attributes, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nearkin.data.attributes import ClassTable
from nearkin.errors import InvalidInput
from nearkin.evaluation.protocol import Described, Embeddings, GroundTruth
from nearkin.evaluation.protocols.zero_shot import PROTOCOL, ZeroShotOptions
from nearkin.evaluation.runner import run_protocols
from nearkin.evaluation.settings import EvaluationSettings
from nearkin.tasks.evaluate import evaluate
from tests.fakes import FakeEncoder

# Two seen classes and two unseen ones, which differ from the seen ones in their second attribute alone.
ATTRIBUTES = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0.5], [0, 1, 0.5]])
SEEN = np.array([True, True, False, False])
LABELS = np.array([0, 0, 1, 1, 2, 2, 3, 3])
TRAINED = np.array([1, 0, 1, 0, 0, 0, 0, 0], dtype=bool)
TRUTH = GroundTruth(LABELS, described=Described(LABELS, SEEN, TRAINED, ATTRIBUTES))


def found(model: Embeddings, truth: GroundTruth = TRUTH, options: ZeroShotOptions = ZeroShotOptions()):  # noqa: B008
    settings = EvaluationSettings(["zero-shot"], options={"zero-shot": options})
    return run_protocols({"model": model}, truth, settings).reports[0]


def test_pictures_that_were_trained_on_are_not_asked_for() -> None:
    # The two that were trained on lie where they would be wrong.
    images = ATTRIBUTES[[1, 0, 0, 1, 2, 2, 3, 2]]
    report = found(Embeddings(images, classes={"attributes": ATTRIBUTES}))
    figures = {metric: figure.value for metric, figure in report.figures["zero_shot"].items()}
    assert figures["attributes/seen"] == figures["attributes/seen_among_all"] == 1
    assert figures["attributes/unseen"] == figures["attributes/unseen_among_all"] == 0.75
    assert figures["attributes/harmonic_mean"] == pytest.approx(6 / 7)
    chance = {metric: figure.value for metric, figure in report.baselines["chance"]["zero_shot"].items()}
    assert (chance["attributes/unseen"], chance["attributes/harmonic_mean"]) == (1 / 2, 1 / 4)
    assert report.counts["pictures of them"] == 6
    assert "Zero-shot: 2 pictures that were trained on are not asked for." in report.notes


def test_the_nearest_picture_s_attributes() -> None:
    """The nearest picture of a seen class counts, trained on or not; the unseen class most like its class."""
    images = np.array([[1, 0, 0], [1, 0, 0.1], [0, 1, 0], [0, 1, 0.1], [1, 0.2, 0], [0, 1, 0], [0, 1, 0], [0.1, 1, 0]])
    report = found(Embeddings(images))
    assert report.figures["zero_shot"]["neighbour/unseen"].value == 0.75
    # Where both unseen classes are as like, each is as good as the other.
    alike = replace(TRUTH, described=replace(TRUTH.described, attributes=ATTRIBUTES[[0, 1, 2, 2]]))
    assert found(Embeddings(images), alike).figures["zero_shot"]["neighbour/unseen"].value == 0.5


def test_without_pictures_of_seen_classes_there_is_no_nearest_one() -> None:
    truth = replace(TRUTH, described=replace(TRUTH.described, seen=np.zeros(4, dtype=bool), seen_is_known=False))
    report = found(Embeddings(ATTRIBUTES[LABELS], classes={"attributes": ATTRIBUTES}), truth)
    assert set(report.figures["zero_shot"]) == {"attributes/unseen"}
    assert any("all classes are taken to be unseen" in note for note in report.notes)


def test_a_penalty_on_what_is_seen() -> None:
    images = ATTRIBUTES[[0, 0, 1, 1, 0, 0, 1, 1]] + np.array([0, 0, 0.2])
    model = Embeddings(images, classes={"attributes": ATTRIBUTES})
    assert found(model).figures["zero_shot"]["attributes/unseen_among_all"].value == 0
    penalised = found(model, options=ZeroShotOptions(seen_penalty=0.1)).figures["zero_shot"]
    assert penalised["attributes/unseen_among_all"].value == 1
    assert penalised["attributes/unseen"].value == 1


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InvalidInput, match=r"nothing describes the classes: name their table \(--attributes\)"):
        found(Embeddings(ATTRIBUTES[LABELS]), GroundTruth(LABELS))
    every = replace(TRUTH, described=replace(TRUTH.described, trained=np.ones(8, dtype=bool)))
    with pytest.raises(InvalidInput, match="all pictures were trained on"):
        found(Embeddings(ATTRIBUTES[LABELS], classes={"attributes": ATTRIBUTES}), every)
    table = ClassTable({"a": {"legs": 1}}, "classes.csv")
    with pytest.raises(InvalidInput, match=r"no row for 1 of 2 classes \('b'\)"):
        PROTOCOL.check(ZeroShotOptions(attributes=table), GroundTruth(class_names=("a", "b")))
    with pytest.raises(InvalidInput, match="seen_penalty is nan"):
        ZeroShotOptions(seen_penalty=float("nan"))


def test_words_of_classes(shapes: Path, tmp_path: Path) -> None:
    """Words in two languages, averaged; an encoder that embeds neither words nor attributes is refused."""
    folders = [folder.name for folder in sorted((shapes / "tree").iterdir()) if "black" not in folder.name]
    lines = ["name,english,russian", *(f"{one},{one},{one.replace('red', 'красный')} red" for one in folders)]
    lines += [f"black {one},red,red" for one in ("circle", "square", "cross")]
    (tmp_path / "classes.csv").write_text("\n".join(lines))
    options = {"protocols": ["zero-shot"], "attributes": tmp_path / "classes.csv"}
    report = evaluate(FakeEncoder(), shapes / "tree", class_words=("english", "russian"), **options)
    assert set(report.figures["zero_shot"]) == {"words/unseen"}
    assert any("all classes are taken to be unseen" in note for note in report.notes)
    with pytest.raises(InvalidInput, match=r"embeds no attributes: zero-shot needs words: name their columns"):
        evaluate(FakeEncoder(), shapes / "tree", **options)
    with pytest.raises(InvalidInput, match="embeds no attributes: zero-shot needs attributes or words"):
        evaluate(FakeEncoder(has_text=False), shapes / "tree", class_words=("english",), **options)
    with pytest.raises(InvalidInput, match="unknown column 'englsh': did you mean english"):
        evaluate(FakeEncoder(), shapes / "tree", class_words=("englsh",), **options)
