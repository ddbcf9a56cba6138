"""A whole run: what it leaves, that it learns, that it is the same again, resumed, interrupted, and its refusals."""

import csv
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.errors import ArtefactError, InvalidInput, PictureError, SourceError, TrainingError, UnknownName
from nearkin.evaluation.report import Report
from nearkin.training.callbacks import EpochSummary
from nearkin.training.run_folder import read_metrics
from nearkin.training.train import train
from tests.training.small import SMALL, cut_and_resumed


def weights(encoder: Encoder) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in encoder.parameters()])


def test_run_folder_and_learning(shapes: Path, tmp_path: Path) -> None:
    summaries: list[EpochSummary] = []
    out = tmp_path / "run"
    encoder = train(shapes / "tree", out=out, loss="contrastive", epochs=6, on_epoch=summaries.append, **SMALL)
    names = {path.name for path in out.iterdir()}
    files = "settings.yaml source.txt metrics.csv curves.png train.csv validation.csv checkpoints model report.json"
    assert names - {".lock"} == set(files.split())
    assert [summary.epoch for summary in summaries] == [1, 2, 3, 4, 5, 6]
    assert summaries[-1].loss < summaries[0].loss
    with Image.open(out / "curves.png") as curves:
        assert curves.width > 500
    assert len(read_metrics(out / "metrics.csv")) == 6

    report = Report.read(out / "report.json")
    figure = report.figures["retrieval"]["recall@1"]
    best = max(summary.figures["recall@1"] for summary in summaries)
    assert figure.value == pytest.approx(best, abs=0.05)
    assert figure.low <= figure.value <= figure.high
    assert set(report.baselines) == {"raw pixels", "chance"}
    assert "recall@1" in (out / "model" / "README.md").read_text(encoding="utf-8")

    train_labels = set(read_items(out / "train.csv").labels)
    held_out = read_items(out / "validation.csv")
    assert not train_labels & set(held_out.labels)
    assert len(train_labels | set(held_out.labels)) == 12

    loaded = Encoder.from_pretrained(out)
    assert loaded.fingerprint == encoder.fingerprint
    assert not loaded.training


def test_same_seed_same_numbers(shapes: Path, tmp_path: Path) -> None:
    runs = [
        train(shapes / "tree", out=tmp_path / f"{number}", loss="contrastive", epochs=2, seed=seed, **SMALL)
        for number, seed in enumerate((3, 3, 4))
    ]
    assert runs[0].fingerprint == runs[1].fingerprint
    assert runs[0].fingerprint != runs[2].fingerprint
    metrics = [[row["recall@1"] for row in read_metrics(tmp_path / f"{number}" / "metrics.csv")] for number in (0, 1)]
    assert metrics[0] == metrics[1]


@pytest.mark.parametrize("captions", [False, True])
def test_resumed_is_exactly_as_if_it_had_not_stopped(shapes: Path, tmp_path: Path, captions: bool) -> None:
    """Killed in its third epoch, then resumed: last.ckpt of the whole run and of the resumed one are equal."""
    options = {"epochs": 4, "loss": "softmax", "captions": captions}
    whole, cut = cut_and_resumed(shapes / "captions.csv", tmp_path, after=2, **options)
    torch.testing.assert_close(cut, whole, rtol=0, atol=0)
    metrics = [[row["loss"] for row in read_metrics(tmp_path / name / "metrics.csv")] for name in ("whole", "cut")]
    assert metrics[0] == metrics[1]


def test_resume_of_a_finished_run_trains_no_more(shapes: Path, tmp_path: Path) -> None:
    first = train(shapes / "tree", out=tmp_path / "x", epochs=1, **SMALL)
    again = train(shapes / "tree", out=tmp_path / "x", resume=True)
    assert again.fingerprint == first.fingerprint
    assert len(read_metrics(tmp_path / "x" / "metrics.csv")) == 1


def test_interrupt_leaves_a_usable_model(shapes: Path, tmp_path: Path) -> None:
    """Ctrl-C in the first epoch: the running batch ends, the model so far is judged and saved."""
    calls = []

    def loss(embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        calls.append(len(labels))
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return embeddings.square().sum()

    before = signal.getsignal(signal.SIGINT)
    encoder = train(shapes / "tree", out=tmp_path / "x", loss=loss, epochs=50, **SMALL)
    assert len(calls) <= 3
    assert signal.getsignal(signal.SIGINT) == before
    assert Encoder.from_pretrained(tmp_path / "x").fingerprint == encoder.fingerprint
    assert any("interrupted" in note for note in Report.read(tmp_path / "x" / "report.json").notes)


def test_minutes_end_the_training(shapes: Path, tmp_path: Path) -> None:
    summaries: list[EpochSummary] = []
    train(shapes / "tree", out=tmp_path / "x", minutes=0.02, on_epoch=summaries.append, **SMALL)
    assert 1 < summaries[-1].seconds < 10


def test_patience_ends_the_training(shapes: Path, tmp_path: Path) -> None:
    summaries: list[EpochSummary] = []
    options = {**SMALL, "epochs": 50, "learning_rate": 1e-12, "patience": 2, "validate_every": 2}
    train(shapes / "tree", out=tmp_path / "x", on_epoch=summaries.append, **options)
    # Epoch 1 is the best one; 2 and 4 are validated, and are not better.
    assert [summary.epoch for summary in summaries] == [1, 2, 3, 4]
    assert [summary.best for summary in summaries] == [True, False, False, False]


def test_captions_share_the_space(shapes: Path, tmp_path: Path) -> None:
    encoder = train(
        shapes / "captions.csv",
        out=tmp_path / "x",
        captions=True,
        epochs=15,
        augmentation="drawing",
        split_by="label",
        **SMALL,
    )
    assert encoder.has_text
    figures = Report.read(tmp_path / "x" / "report.json").figures
    assert set(figures) == {"cross_modal"}
    seen = read_items(tmp_path / "x" / "train.csv")
    images = encoder.embed_images(list(seen.pictures[::8]))
    for texts in ([captions[0] for captions in seen.captions[::8]], [captions[1] for captions in seen.captions[::8]]):
        nearest = (encoder.embed_texts(texts) @ images.T).argmax(1)
        assert (nearest == np.arange(len(texts))).mean() > 0.5


def test_labels_and_captions_together(shapes: Path, tmp_path: Path) -> None:
    train(shapes / "captions.csv", out=tmp_path / "x", captions=True, loss="triplet", epochs=1, **SMALL)
    figures = Report.read(tmp_path / "x" / "report.json").figures
    assert set(figures) == {"retrieval", "cross_modal"}


def test_any_callable_and_import_paths_are_losses(shapes: Path, tmp_path: Path) -> None:
    train(shapes / "tree", out=tmp_path / "a", loss=lambda e, y: e.var(), epochs=1, **SMALL)
    train(shapes / "tree", out=tmp_path / "b", loss="pytorch_metric_learning.losses.CircleLoss", epochs=1, **SMALL)


def test_broken_pictures_are_skipped_and_listed_or_refused(shapes: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        for number in range(4):
            path = tmp_path / "data" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (60 * number, 40, 90)).save(path)
    (tmp_path / "data" / "a" / "broken.jpg").write_text("no picture")
    (tmp_path / "data" / "b" / "empty.png").write_bytes(b"")
    train(tmp_path / "data", out=tmp_path / "x", epochs=1, val_fraction=0.5, **SMALL)
    with (tmp_path / "x" / "skipped.csv").open(newline="") as file:
        skipped = list(csv.DictReader(file))
    assert [Path(row["path"]).name for row in skipped] == ["broken.jpg", "empty.png"]
    assert all(row["reason"] for row in skipped)
    assert len(Report.read(tmp_path / "x" / "report.json").skipped) == 2
    with pytest.raises(PictureError, match=r"broken\.jpg"):
        train(tmp_path / "data", out=tmp_path / "y", epochs=1, strict=True, **SMALL)


def test_refusals(shapes: Path, tmp_path: Path) -> None:
    data, out = shapes / "tree", tmp_path / "x"
    with pytest.raises(UnknownName, match="unknown backbone 'resnet81': did you mean"):
        train(data, out=out, **{**SMALL, "backbone": "resnet81"})
    with pytest.raises(UnknownName, match=r"unknown loss 'tripplet'.*triplet"):
        train(data, out=out, loss="tripplet", **SMALL)
    with pytest.raises(UnknownName, match="unknown setting 'epoch': did you mean epochs"):
        train(data, out=out, epoch=3)
    with pytest.raises(InvalidInput, match="setting epochs is 0: only a training that starts from weights"):
        train(data, out=out, epochs=0)
    with pytest.raises(InvalidInput, match="more than batch_size"):
        train(data, out=out, batch_size=4, per_class=8)
    with pytest.raises(SourceError, match="no captions found"):
        train(data, out=out, captions=True, **SMALL)
    with pytest.raises(SourceError):
        train(tmp_path / "nothing", out=out)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"--out: .*file. is a file: expected a folder"):
        train(data, out=tmp_path / "file" / "x", **SMALL)
    if not torch.cuda.is_available():
        with pytest.raises(InvalidInput, match="torch finds no GPU here"):
            train(data, out=out, device="cuda", **SMALL)
    with pytest.raises(ArtefactError, match="holds no run to resume"):
        train(data, out=out, resume=True)
    one_class = tmp_path / "one" / "only"
    one_class.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(one_class / "a.png")
    with pytest.raises(SourceError, match="one class"):
        train(one_class.parent, out=out, **SMALL)


def test_a_run_is_neither_overwritten_nor_changed(shapes: Path, tmp_path: Path) -> None:
    train(shapes / "tree", out=tmp_path / "x", epochs=1, **SMALL)
    with pytest.raises(InvalidInput, match=r"already holds a run \(1 epoch trained, a model saved\): go on with it"):
        train(shapes / "tree", out=tmp_path / "x", epochs=1, **SMALL)
    with pytest.raises(InvalidInput, match="dim cannot be changed"):
        train(shapes / "tree", out=tmp_path / "x", resume=True, dim=8)


def test_nan_stops_with_the_model_of_the_best_epoch(shapes: Path, tmp_path: Path) -> None:
    calls = []

    def loss(embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return embeddings.sum() * (torch.nan if len(calls) > 10 else 1.0)

    message = r"NaN or infinity in the loss at step 10, epoch 3, batch 3: .*'.*model' is the model of the best epoch"
    with pytest.raises(TrainingError, match=message):
        train(shapes / "tree", out=tmp_path / "x", loss=loss, epochs=5, val_fraction=0.34, **SMALL)
    assert (tmp_path / "x" / "checkpoints" / "last.ckpt").exists()
    best = torch.load(tmp_path / "x" / "checkpoints" / "best.pt")
    for name, tensor in Encoder.from_pretrained(tmp_path / "x").state_dict().items():
        torch.testing.assert_close(tensor, best[name], rtol=0, atol=0)
    assert any("broke off" in note for note in Report.read(tmp_path / "x" / "report.json").notes)


def test_nan_in_the_first_epoch_leaves_no_model(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss at step 0, epoch 1, batch 1: .* no epoch was finished"):
        train(shapes / "tree", out=tmp_path / "x", loss=lambda e, y: e.sum() * torch.nan, **SMALL)
    assert not (tmp_path / "x" / "model").exists()


def test_validation_every_third_epoch_and_the_last(shapes: Path, tmp_path: Path) -> None:
    summaries: list[EpochSummary] = []
    train(shapes / "tree", out=tmp_path / "x", epochs=5, validate_every=3, on_epoch=summaries.append, **SMALL)
    assert [bool(summary.figures) for summary in summaries] == [True, False, True, False, True]
    rows = read_metrics(tmp_path / "x" / "metrics.csv")
    assert [bool(row["recall@1"]) for row in rows] == [True, False, True, False, True]
    assert all(row["loss"] for row in rows)


def test_an_interrupt_is_validated_whenever_it_comes(shapes: Path, tmp_path: Path) -> None:
    summaries: list[EpochSummary] = []

    def interrupt(summary: EpochSummary) -> None:
        summaries.append(summary)
        if summary.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    train(shapes / "tree", out=tmp_path / "x", epochs=50, validate_every=10, on_epoch=interrupt, **SMALL)
    assert len(summaries) == 3
    assert summaries[-1].figures


def test_batches_of_one_group(shapes: Path, tmp_path: Path) -> None:
    """The classes of a batch are of one colour."""
    lines = (shapes / "captions.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.rsplit(",", 2)[0] for line in lines[1:]]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["path,label,colour", *(f"{row},{row.split(',')[1].split()[0]}" for row in rows)]))
    names = sorted({row.split(",")[1] for row in rows})
    seen = []

    def loss(embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(labels)
        return embeddings.var()

    options = {**SMALL, "split_by": "colour", "batch_by": "colour", "epochs": 1, "batch_size": 12}
    train(table, out=tmp_path / "x", loss=loss, **options)
    held_out = set(read_items(tmp_path / "x" / "validation.csv").labels)
    trained = [name for name in names if name not in held_out]
    assert all(len({trained[label].split()[0] for label in labels}) == 1 for labels in seen)
    assert sum(map(len, seen)) == 72
    with pytest.raises(UnknownName, match="unknown column 'color': did you mean colour"):
        train(table, out=tmp_path / "y", **{**options, "batch_by": "color"})
    with pytest.raises(InvalidInput, match="batch_by needs a loss on labels"):
        train(shapes / "captions.csv", out=tmp_path / "y", **{**options, "batch_by": "label"}, captions=True)
