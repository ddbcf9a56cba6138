"""The run folder: what lies where, who may write, and which pictures a run trained on and held out.

settings.yaml   the settings            checkpoints/      best.pt, last.ckpt, and start.pt of a start that was judged
source.txt      where the pictures are  model/            the artefact
metrics.csv     a row for each epoch    report.json       final validation figures beside raw pixels and chance
curves.png      the same, drawn         reliability.svg   how far the probabilities of `nearkin verify` can be trusted
train.csv, validation.csv               the pictures that were trained on and held out
skipped.csv     broken pictures, only if there are any

Nothing here imports torch, so that a mistake is told at once.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from nearkin.errors import ArtefactError, InvalidInput, SourceError
from nearkin.files import check_output_folder, write_whole

if TYPE_CHECKING:
    from nearkin.data.items import Items
    from nearkin.training.prepare import Prepared

SETTINGS, SOURCE, METRICS, REPORT, MODEL = "settings.yaml", "source.txt", "metrics.csv", "report.json", "model"
# The weights of the best epoch, and what training resumes from.
BEST, LAST = Path("checkpoints") / "best.pt", Path("checkpoints") / "last.ckpt"
# The weights that training started from, if it judged them.
START = Path("checkpoints") / "start.pt"
LOCK = ".lock"
_NO_FIGURES = ("epoch", "stage", "seconds", "loss")


def check_new_run(out: Path, source: Any = None) -> None:
    """Check that a run can begin in a folder, before any work.

    Args:
        out: the run folder.
        source: the pictures; a folder of pictures is no place for a run.

    Raises:
        InvalidInput: there is a run already, it lies in the folder of the pictures, or it cannot be made.
    """
    if (out / SETTINGS).exists():
        raise InvalidInput(
            f"'{out}' already holds a run ({_state(out)}): go on with it (--resume), train it for longer "
            "(--resume --epochs N), or choose another folder (--out)"
        )
    check_outside(out, source)
    check_output_folder(out, "--out")


def check_outside(out: Path, source: Any) -> None:
    """Refuses an output folder in the folder of the pictures: its charts would be taken for pictures.

    Raises:
        InvalidInput: it lies there.
    """
    if not isinstance(source, str | Path) or not Path(source).is_dir():
        return
    pictures = Path(source).resolve()
    if pictures == out.resolve() or pictures in out.resolve().parents:
        raise InvalidInput(
            f"--out '{out}' lies in the folder of the pictures, '{source}', where its charts would be taken for "
            "pictures: choose a folder outside"
        )


def _state(out: Path) -> str:
    """How far a run came, in words."""
    epochs = len(read_metrics(out / METRICS))
    trained = f"{epochs} epoch{'s' * (epochs != 1)} trained" if epochs else "no epoch finished"
    return f"{trained}, {'a model saved' if (out / MODEL / 'config.json').exists() else 'no model yet'}"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder. The lock ends with its process, however that ends.

    Raises:
        InvalidInput: another training has it, or the folder cannot be written.
    """
    check_output_folder(out, "--out")
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InvalidInput(
            f"another training is at work in '{out}': wait until it ends, or choose another folder (--out)"
        ) from None
    except OSError as error:
        raise InvalidInput(f"--out: cannot write into '{out}': {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def no_empty_folder(out: Path) -> Iterator[None]:
    """Remove a run folder that was made within, if nothing was begun in it: a refused training leaves none behind."""
    is_new = not out.exists()
    try:
        yield
    finally:
        if is_new and out.is_dir() and {path.name for path in out.iterdir()} <= {LOCK}:
            (out / LOCK).unlink(missing_ok=True)
            out.rmdir()


def write_source(source: Any, out: Path) -> None:
    """Remember where the pictures are, so that `--resume` need not be told."""
    if isinstance(source, str | Path):
        text = str(source) if "://" in str(source) else str(Path(source).absolute())
        write_whole(out / SOURCE, f"{text}\n")


def read_source(out: Path) -> str:
    """Where the pictures of a run are.

    Raises:
        ArtefactError: it is not known.
    """
    try:
        return (out / SOURCE).read_bytes().decode("utf-8", "surrogateescape").removesuffix("\n")
    except OSError as error:
        raise ArtefactError(
            f"the run in '{out}' does not say where its pictures are: name them again, as in "
            f"`nearkin train DATA --out {out} --resume`"
        ) from error


def check_checkpoint(path: Path) -> None:
    """Check that a file of weights is whole, without loading it.

    Raises:
        ArtefactError: it was cut off or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        damaged = str(error)
    if damaged is not None:
        run = path.parent.parent
        raise ArtefactError(
            f"'{path}' is damaged, so the run cannot go on from it: start a new run "
            f"from the best epoch (--weights {run / BEST} --out ANOTHER), or delete it and start over"
        )


def write_pictures(prepared: "Prepared", out: Path, *, check: bool) -> None:
    """Write train.csv and validation.csv, and skipped.csv if a picture was broken.

    Args:
        prepared: the training and the validation pictures.
        out: the run folder.
        check: whether the pictures must be those that are written there already.

    Raises:
        SourceError: other pictures than before.
    """
    for name, data in (("train", prepared.train), ("validation", prepared.val)):
        path = out / f"{name}.csv"
        if check and path.exists():
            before = list(dict.fromkeys(row["path"] for row in read_rows(path)))
            if before != list(data.items.uris):
                raise SourceError(
                    f"{data.items.source}: its pictures are not those that the run in '{out}' began with "
                    f"({name}.csv: {len(before):,} before, {len(data.items):,} now): start a new run"
                )
        _write_items(data.items, path)
    skipped = out / "skipped.csv"
    skipped.unlink(missing_ok=True)
    if prepared.skipped:
        write_rows(skipped, ["path", "reason"], ([broken.uri, broken.reason] for broken in prepared.skipped))


def _write_items(items: "Items", path: Path) -> None:
    """A table that `read_items` reads again: a row for each caption, or one for a picture without."""
    rows = (
        [picture.uri, items.labels[row] or "", caption, *(column[row] for column in items.metadata.values())]
        for row, picture in enumerate(items.pictures)
        for caption in items.captions[row] or ("",)
    )
    write_rows(path, ["path", "label", "caption", *items.metadata], rows)


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file whole; names that are no UTF-8 keep their bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.getvalue())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file that `write_rows` wrote."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def metrics_row(
    epoch: int, seconds: float, loss: float | None, figures: Mapping[str, float], *, stage: str | None = None
) -> dict[str, str]:
    """A row of `metrics.csv`.

    Args:
        epoch: from 1; 0 is before the first.
        seconds: since training began.
        loss: mean over the epoch's batches; None if nothing was trained.
        figures: of the validation.
        stage: what was judged, in a run that starts from weights and judges them too.
    """
    row = {"epoch": str(epoch), **({} if stage is None else {"stage": stage})}
    row |= {"seconds": f"{seconds:.1f}", "loss": "" if loss is None else f"{loss:.6g}"}
    return row | {name: f"{value:.6g}" for name, value in figures.items()}


def write_metrics(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write `metrics.csv`. An epoch that is not validated leaves its figures empty; the first row has all columns."""
    if rows:
        columns = list(rows[0])
        write_rows(path, columns, [[one.get(name, "") for name in columns] for one in rows])


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of `metrics.csv` for epochs, from 1; none if there is no such file yet."""
    return [row for row in read_all_metrics(path) if row["epoch"] != "0"]


def read_all_metrics(path: Path) -> list[dict[str, str]]:
    """The rows of `metrics.csv`, also those of epoch 0, before the first; none if there is no such file yet."""
    return read_rows(path) if path.is_file() else []


def start_figures(path: Path) -> dict[str, float]:
    """Validation figures of the start, of `metrics.csv`; none if it was not judged."""
    rows = [row for row in read_all_metrics(path) if row.get("stage") == "start"]
    return {} if not rows else row_figures(rows[0])


def row_figures(row: Mapping[str, str]) -> dict[str, float]:
    """The validation figures of a row of `metrics.csv`; none if it was not validated."""
    return {name: float(value) for name, value in row.items() if name not in _NO_FIGURES and value}
