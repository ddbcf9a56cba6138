"""A run folder: one training at a time, resumed without loss, longer if asked for, never among the pictures."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from filelock import FileLock
from PIL import Image

from nearkin.arrays import unit
from nearkin.calibration.fit import fit_calibration
from nearkin.data.file_finder import FileFinder
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.errors import ArtefactError, InvalidInput, TrainingError
from nearkin.evaluation.report import Report
from nearkin.training import callbacks
from nearkin.training.callbacks import EpochSummary
from nearkin.training.run_folder import LOCK, read_metrics, read_rows, write_rows
from nearkin.training.train import train
from tests.training.small import SMALL


def test_a_finished_run_keeps_the_calibration_that_it_was_given(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    train(shapes / "tree", out=out, epochs=1, **SMALL)
    path = out / "model" / "calibration.json"
    vectors, ids = unit(np.random.default_rng(0).normal(size=(80, 4))), np.repeat(np.arange(20), 4)

    def write_calibration(fingerprint: str) -> bytes:
        fit_calibration(vectors, ids, fingerprint=fingerprint, source="shelf photos").write(path)
        return path.read_bytes()

    before = write_calibration(Encoder.from_pretrained(out).fingerprint)
    assert train(out=out, resume=True).calibration is not None
    assert path.read_bytes() == before
    # One of other weights is void, and the report says so.
    write_calibration("another")
    train(out=out, resume=True, epochs=2)
    notes = Report.read(out / "report.json").notes
    assert any("the calibration on shelf photos is void" in note for note in notes)


def test_a_finished_run_trains_for_longer(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    train(shapes / "tree", out=out, epochs=2, **SMALL)
    train(out=out, resume=True, epochs=4, threads=2)
    assert [row["epoch"] for row in read_metrics(out / "metrics.csv")] == ["1", "2", "3", "4"]
    settings = yaml.safe_load((out / "settings.yaml").read_text())
    assert (settings["epochs"], settings["threads"]) == (4, 2)
    with pytest.raises(InvalidInput, match="epochs is 3, but 4 are trained already"):
        train(out=out, resume=True, epochs=3)
    with pytest.raises(InvalidInput, match="dim cannot be changed"):
        train(out=out, resume=True, dim=8)


def test_tables_of_a_run_are_read_back_whatever_the_names(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, CSV's own signs, spaces, backslashes, both Unicode forms."""
    names = [b"caf\xe9", b"\xff\xfe", b"a,b", b'a"b', b" a ", b"a\nb", b"a\rb", rb"a\b", "e\u0301".encode()]
    names += ["\u00e9".encode(), "e\u0301".encode() + b"\xe9", b"#a", b"=a"]
    random = np.random.default_rng(0)
    for label in range(4):
        folder = tmp_path / "pictures" / os.fsdecode(b"class\xe9%d" % label)
        folder.mkdir(parents=True)
        for name in names:
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / os.fsdecode(name + b".png"))
    train(tmp_path / "pictures", out=tmp_path / "x", epochs=1, **{**SMALL, "size": 16, "val_fraction": 0.5})
    before = read_items(tmp_path / "pictures")
    content = {picture.read(): label for picture, label in zip(before.pictures, before.labels, strict=True)}
    tables = [read_items(tmp_path / "x" / f"{name}.csv") for name in ("train", "validation")]
    again = {
        picture.read(): label for items in tables for picture, label in zip(items.pictures, items.labels, strict=True)
    }
    assert again == content
    assert len(content) == 4 * len(names)


def test_a_file_whose_name_is_an_escape_is_itself(tmp_path: Path) -> None:
    escape, byte = tmp_path / "caf\\xe9.png", tmp_path / os.fsdecode(b"caf\xe9.png")
    byte.touch()
    assert FileFinder(tmp_path).find(escape.name) == str(byte)
    escape.touch()
    assert FileFinder(tmp_path).find(escape.name) == str(escape)


def test_patience_that_ended_a_run_ends_it_again(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    options = {**SMALL, "epochs": 9, "learning_rate": 1e-12, "patience": 1}
    train(shapes / "tree", out=out, **options)
    train(out=out, resume=True)
    assert len(read_metrics(out / "metrics.csv")) == 2


def test_two_trainings_in_one_folder_are_refused(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    out.mkdir()
    with FileLock(out / LOCK), pytest.raises(InvalidInput, match="another training is at work in"):
        train(shapes / "tree", out=out, epochs=1, **SMALL)
    messages: list[str] = []

    def again(summary: EpochSummary) -> None:
        with pytest.raises(InvalidInput) as refused:
            train(shapes / "tree", out=out, resume=True)
        messages.append(str(refused.value))

    train(shapes / "tree", out=out, epochs=1, on_epoch=again, **SMALL)
    assert "another training is at work" in messages[0]


def test_a_run_among_its_pictures_is_refused(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").symlink_to(shapes / "tree")
    for out in (tmp_path / "pictures", tmp_path / "pictures" / "run", shapes / "tree" / ".." / "tree" / "run"):
        with pytest.raises(InvalidInput, match="lies in the folder of the pictures"):
            train(shapes / "tree", out=out, epochs=1, **SMALL)
    assert not (shapes / "tree" / "run").exists()


def test_a_resumed_run_knows_its_pictures_or_says_that_it_does_not(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shapes)
    train("tree", out=tmp_path / "x", epochs=1, **SMALL)
    monkeypatch.chdir(tmp_path)
    train(out="x", resume=True, epochs=2)
    (tmp_path / "x" / "source.txt").unlink()
    with pytest.raises(ArtefactError, match="does not say where its pictures are"):
        train(out="x", resume=True)
    with pytest.raises(InvalidInput, match="no pictures are named"):
        train(out="y")


@pytest.mark.parametrize("name", ["last.ckpt", "best.pt"])
def test_a_truncated_checkpoint_is_told_in_a_line(shapes: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "x"
    train(shapes / "tree", out=out, epochs=1, **SMALL)
    path = out / "checkpoints" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (out / "report.json").unlink()
    with pytest.raises(ArtefactError, match=rf"{name}' is damaged"):
        train(out=out, resume=True)


def test_a_full_disk_names_the_run_folder_and_keeps_the_best_epoch(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x"
    save, calls = callbacks.save_whole, []

    def full(state: object, path: Path) -> None:
        calls.append(path)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        save(state, path)

    monkeypatch.setattr(callbacks, "save_whole", full)
    with pytest.raises(TrainingError, match=r"cannot write into '.*checkpoints.*': No space left on device") as told:
        train(shapes / "tree", out=out, epochs=3, **SMALL)
    assert "is the model of the best epoch" in str(told.value)
    assert Encoder.from_pretrained(out).dim == SMALL["dim"]
    monkeypatch.undo()
    train(out=out, resume=True)
    assert len(read_metrics(out / "metrics.csv")) == 3


def test_a_run_of_minutes_says_what_ran(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    train(shapes / "tree", out=out, minutes=0.02, **SMALL)
    report = Report.read(out / "report.json")
    epochs = len(read_metrics(out / "metrics.csv"))
    assert report.counts["epochs"] == epochs
    assert any(note.startswith(f"{epochs:,} epoch{'s' * (epochs != 1)} in ") for note in report.notes)
    settings = yaml.safe_load((out / "settings.yaml").read_text())
    assert (settings["epochs"], settings["minutes"]) == (None, 0.02)
    # Resumed, its time is over.
    train(out=out, resume=True)
    assert len(read_metrics(out / "metrics.csv")) == epochs


def test_names_that_are_no_utf8(shapes: Path, tmp_path: Path) -> None:
    data = tmp_path / os.fsdecode(b"caf\xe9")
    for folder in sorted((shapes / "tree").iterdir()):
        (data / folder.name).mkdir(parents=True)
        for number, picture in enumerate(sorted(folder.iterdir())[:4]):
            (data / folder.name / os.fsdecode(b"\xff%d.png" % number)).write_bytes(picture.read_bytes())
    train(data, out=tmp_path / "x", epochs=1, **SMALL)
    paths = [row["path"] for row in read_rows(tmp_path / "x" / "train.csv")]
    assert all(r"caf\xe9" in path and r"\xff" in path for path in paths)
    train(out=tmp_path / "x", resume=True, epochs=2)
    write_rows(tmp_path / "a.csv", ["path"], [[str(data)]])
    assert read_rows(tmp_path / "a.csv") == [{"path": str(data)}]
