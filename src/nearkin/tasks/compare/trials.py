"""One trial: a candidate trained with one seed and tested on the classes that it holds out; or a baseline, tested."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from nearkin.data.folds import class_folds, hold_out
from nearkin.data.items import Items
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.errors import InvalidInput, SourceError, TrainingError
from nearkin.evaluation.report import Report
from nearkin.files import write_whole
from nearkin.progress import Progress
from nearkin.tasks.compare.candidates import Candidate
from nearkin.tasks.compare.scores import SCORES, Scores, read_scores, score_pictures, write_scores
from nearkin.training.callbacks import EpochSummary
from nearkin.training.prepare import Prepared, prepare
from nearkin.training.settings import TrainSettings, read_settings
from nearkin.training.speed import TIMED
from nearkin.training.train import INTERRUPTED, train

RAW_PIXELS = "raw pixels"
UNTRAINED, FROZEN = "untrained", "frozen pretrained"
FAILED = "failed.txt"


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate by one seed.

    Args:
        candidate: with its settings.
        items: with the splits of this seed.
        seed: of weights, batches and views.
        folder: its run folder.
    """

    candidate: Candidate
    items: Items
    seed: int
    folder: Path

    @property
    def settings(self) -> TrainSettings:
        return self.candidate.settings.model_copy(update={"seed": self.seed})

    @property
    def test(self) -> Items:
        """The test pictures."""
        return self.items.select([row for row, split in enumerate(self.items.splits) if split == "test"])

    @property
    def scores(self) -> Scores | None:
        """None if it is not finished."""
        path = self.folder / SCORES
        return read_scores(path) if path.exists() else None

    @property
    def failure(self) -> str | None:
        """Why its training could not go on."""
        path = self.folder / FAILED
        return path.read_text(encoding="utf-8") if path.exists() else None


def seeds_of(items: Items, seeds: int, folds: int, by: str | None) -> list[Items]:
    """The items with the splits of each seed: another fold each, and other folds once all had their turn."""
    return [
        hold_out(items, class_folds(items, folds, by=by, seed=seed // folds), seed % folds) for seed in range(seeds)
    ]


def check_trial(trial: Trial) -> None:
    """Refuses a run folder that was begun with other settings.

    Raises:
        InvalidInput: it was; the message names them.
    """
    path = trial.folder / "settings.yaml"
    if not path.exists():
        return
    before, now = TrainSettings.checked(**read_settings(path)).model_dump(), trial.settings.model_dump()
    # What was left to the training is what it chose.
    asked = {name: value for name, value in now.items() if name not in TIMED or value not in (None, "auto")}
    changed = [f"{name} ({before[name]} before, {now[name]} now)" for name in asked if before[name] != now[name]]
    if changed:
        raise InvalidInput(
            f"'{trial.folder}' was begun with other settings: {', '.join(changed)}; "
            "compare with those, in another folder, or delete that one"
        )


def write_fold(items: Items, path: Path) -> None:
    """Which pictures this seed learns from, chooses the epoch by and is tested on: a table for `nearkin evaluate`.

    Raises:
        SourceError: the folder was begun with other pictures or folds.
    """
    rows = [list(row) for row in zip(items.uris, map(str, items.labels), map(str, items.splits), strict=True)]
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            if list(csv.reader(file))[1:] != rows:
                raise SourceError(
                    f"{items.source}: '{path}' was begun with other pictures or other folds: compare in another folder"
                )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "label", "split"], *rows])


def run_trial(trial: Trial, on_epoch: Callable[[EpochSummary], None] | None, progress_bar: bool) -> None:
    """Train, from where an earlier call stopped, and test; a training that fails leaves word of it.

    Raises:
        KeyboardInterrupt: Ctrl-C stopped the training; another call goes on.
    """
    begun = (trial.folder / "settings.yaml").exists()
    settings = {} if begun else trial.settings.model_dump()
    try:
        encoder = train(
            trial.items, out=trial.folder, resume=begun, on_epoch=on_epoch, progress_bar=progress_bar, **settings
        )
    except TrainingError as error:
        write_whole(trial.folder / FAILED, str(error))
        return
    if INTERRUPTED in Report.read(trial.folder / "report.json").notes:
        raise KeyboardInterrupt
    write_scores(score_pictures(trial.test, encoder.preprocessing, encoder.embed_pixels), trial.folder / SCORES)


def run_baseline(trial: Trial) -> None:
    """Test raw pixels, or the features of a backbone as its trainings begin, before any projection."""
    prepared = prepare_seed(trial.items, trial.settings)
    encoder = prepared.encoder
    embed: Callable = raw_pixels
    if trial.candidate.loss != RAW_PIXELS:
        # A random projection to fewer dimensions would only lose some of what the features tell.
        encoder.image.projection = nn.Identity()  # type: ignore[assignment]
        embed = encoder.embed_pixels
    write_scores(score_pictures(trial.test, encoder.preprocessing, embed), trial.folder / SCORES)


def prepare_seed(items: Items, settings: TrainSettings, progress: Progress | None = None) -> Prepared:
    """What a training by these settings starts from: the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        return prepare(items, settings, progress=progress)
