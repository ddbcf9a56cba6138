"""A whole comparison: what it leaves, unseen classes, going on after a stop, failures, and refusals."""

import csv
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import nearkin
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.errors import InvalidInput, SourceError, TrainingError, UnknownName
from nearkin.tasks.compare.run import compare
from nearkin.tasks.compare.scores import read_scores
from nearkin.training.callbacks import EpochSummary

SMALL = {"backbone": "conv4", "dim": 8, "size": 32, "batch_size": 16, "threads": 1, "precision": "float32", "epochs": 2}
LOSSES = ["triplet(margin=0.3)", "softmax"]


def nan_loss(embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return embeddings.sum() * float("nan")


@pytest.fixture(scope="module")
def whole(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison that was not stopped."""
    out = tmp_path_factory.mktemp("whole")
    compare(shapes / "tree", losses=LOSSES, seeds=2, folds=3, out=out, **SMALL)
    return out


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_what_it_leaves(whole: Path) -> None:
    files = "compare.yaml folds report.md results.json results.csv recall.png recall_against_time.png raw-pixels conv4"
    assert {path.name for path in whole.iterdir()} == set(files.split())
    result = json.loads((whole / "results.json").read_text())
    names = {result["loss"] for result in result["results"]}
    assert names == {"raw pixels", "untrained", *LOSSES}
    assert len(result["differences"]) == 6
    report = (whole / "report.md").read_text()
    assert "| # | name | recall@1, % |" in report
    assert "pairs at once" in report
    assert len(rows_of(whole / "results.csv")) == 8


def test_classes_are_in_one_split_and_tested_with_one_seed(whole: Path) -> None:
    tested = []
    for seed in range(2):
        run = whole / "conv4" / "softmax" / f"seed{seed}"
        sides = [set(read_items(run / f"{name}.csv").labels) for name in ("train", "validation")]
        sides.append(set(read_scores(run / "test.csv").labels))
        assert [len(side) for side in sides] == [4, 4, 4]
        assert len(set.union(*sides)) == 12
        tested.append(sides[2])
    assert not tested[0] & tested[1]


def test_every_candidate_is_tested_on_the_same_pictures(whole: Path) -> None:
    folders = ["conv4/softmax", "conv4/triplet(margin=0.3)", "conv4/untrained", "raw-pixels"]
    paths = {read_scores(whole / folder / "seed1" / "test.csv").paths for folder in folders}
    assert len(paths) == 1


def test_figures_are_those_of_evaluate(whole: Path) -> None:
    """A model of the comparison, tested by `evaluate` on the table of its fold."""
    encoder = Encoder.from_pretrained(whole / "conv4" / "softmax" / "seed1" / "model")
    report = nearkin.evaluate(encoder, whole / "folds" / "seed1.csv")
    assert "Split: test." in report.notes
    scores = read_scores(whole / "conv4" / "softmax" / "seed1" / "test.csv")
    for metric, values in scores.values.items():
        assert values.mean() == pytest.approx(report.figures["retrieval"][metric].value)
    [row] = [row for row in rows_of(whole / "results.csv") if (row["loss"], row["seed"]) == ("softmax", "1")]
    assert float(row["recall@1"]) == pytest.approx(scores.values["recall@1"].mean(), abs=1e-5)
    result = next(
        one for one in json.loads((whole / "results.json").read_text())["results"] if one["loss"] == "softmax"
    )
    other = read_scores(whole / "conv4" / "softmax" / "seed0" / "test.csv")
    mean = np.mean([one.values["recall@1"].mean() for one in (scores, other)])
    assert result["figures"]["recall@1"]["value"] == pytest.approx(mean)


def test_stopped_it_goes_on_exactly_and_trains_nothing_twice(shapes: Path, tmp_path: Path, whole: Path) -> None:
    """Ctrl-C in the second epoch of the last of four trainings."""
    out = shutil.copytree(whole, tmp_path / "copy")
    shutil.rmtree(out / "conv4" / "softmax" / "seed1")
    (out / "results.csv").unlink()
    epochs: list[int] = []
    finished: list[int] = []

    def stop(summary: EpochSummary) -> None:
        epochs.append(summary.epoch)
        if len(epochs) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    def run() -> None:
        compare(
            shapes / "tree",
            losses=LOSSES,
            seeds=2,
            folds=3,
            out=out,
            on_epoch=stop,
            on_trial=lambda summary: finished.append(summary.number),
            **SMALL,
        )

    with pytest.raises(KeyboardInterrupt):
        run()
    assert finished == [1, 2, 3]
    assert not (out / "results.csv").exists()
    run()
    assert finished == [1, 2, 3, 1, 2, 3, 4]
    # The first epoch whole, the second in part, and from the first on again.
    assert epochs == [1, 2, 2]
    for name in ("loss", "seed", "recall@1", "map@r"):
        before, after = ([row[name] for row in rows_of(folder / "results.csv")] for folder in (whole, out))
        assert before == after


def test_more_losses_add_to_what_is_there(shapes: Path, tmp_path: Path, whole: Path) -> None:
    out = shutil.copytree(whole, tmp_path / "copy")
    trained: list[EpochSummary] = []
    found = compare(
        shapes / "tree",
        losses=["softmax", "tests.tasks.compare.test_run.nan_loss", "contrastive"],
        seeds=1,
        folds=3,
        out=out,
        on_epoch=trained.append,
        **SMALL,
    )
    assert len(trained) == 2
    assert {result.loss for result in found.results} == {"softmax", "contrastive", "untrained", "raw pixels"}
    assert any("nan_loss" in note and "NaN" in note for note in found.notes)
    assert any("One seed" in note for note in found.notes)


def test_pictures_of_the_split_test_take_no_part(shapes: Path, tmp_path: Path) -> None:
    rows = rows_of(shapes / "captions.csv")
    kept = {"red circle", "red square"}
    table = tmp_path / "table.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        writer.writerows([row["path"], row["label"], "test" if row["label"] in kept else ""] for row in rows)
    with pytest.raises(SourceError, match="10 classes for 11 folds"):
        compare(table, losses=["softmax"], folds=11, out=tmp_path / "x", **SMALL)


def test_no_training_can_be_finished(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no candidate was trained to the end"):
        compare(
            shapes / "tree",
            losses=["tests.tasks.compare.test_run.nan_loss"],
            seeds=1,
            folds=3,
            out=tmp_path / "x",
            **SMALL,
        )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"losses": ["softmax", "arcfase"]}, UnknownName, "unknown loss 'arcfase'"),
        ({"backbone": "resnet81"}, UnknownName, "unknown backbone 'resnet81'"),
        ({"backbones": ["conv4", "resnet81"]}, UnknownName, "unknown backbone 'resnet81'"),
        ({"folds": 2}, InvalidInput, "2 folds, expected 3 or more"),
        ({"folds": 7}, SourceError, "one of 7 folds has 1"),
        ({"seeds": 0}, InvalidInput, "seeds is 0"),
        ({"split_by": "colour"}, UnknownName, "unknown column 'colour'"),
        ({"epoch": 3}, UnknownName, "unknown setting 'epoch'"),
    ],
)
def test_refusals_before_anything_is_trained(
    shapes: Path, tmp_path: Path, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        compare(shapes / "tree", **{"losses": LOSSES, "folds": 3, "out": tmp_path / "x", **SMALL, **options})
    assert not (tmp_path / "x").exists()


def test_other_settings_or_pictures_than_the_folder_was_begun_with(shapes: Path, tmp_path: Path, whole: Path) -> None:
    options = {"losses": LOSSES, "seeds": 2, "folds": 3, "out": whole, **SMALL}
    with pytest.raises(InvalidInput, match=r"begun with other settings: epochs \(2 before, 3 now\)"):
        compare(shapes / "tree", **{**options, "epochs": 3})
    with pytest.raises(SourceError, match="other pictures or other folds"):
        compare(shapes / "tree", **{**options, "folds": 4})
    copy = shutil.copytree(shapes / "tree", tmp_path / "tree")
    with pytest.raises(SourceError, match="other pictures or other folds"):
        compare(copy, **options)
