"""compare(): every loss, with every backbone, trained by several seeds with equal budgets, in one folder.

compare.yaml    what was asked for          report.md, results.json, results.csv
folds/          the pictures of each seed   recall.png, recall_against_time.png
BACKBONE/LOSS/seedN/                        a run folder of `train` for each trial, with test.csv, its scores
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nearkin.arrays import check_count
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.errors import SourceError
from nearkin.files import check_output_folder, write_whole
from nearkin.progress import Progress, duration
from nearkin.tasks.compare.candidates import Candidate, Named, list_candidates
from nearkin.tasks.compare.charts import draw_charts
from nearkin.tasks.compare.conclusion import conclude
from nearkin.tasks.compare.decided import DEFAULT_FOLDS, DEFAULT_LOSSES, DEFAULT_SEEDS
from nearkin.tasks.compare.result import HEADLINE, Comparison
from nearkin.tasks.compare.trials import (
    FROZEN,
    RAW_PIXELS,
    UNTRAINED,
    Trial,
    check_trial,
    prepare_seed,
    run_baseline,
    run_trial,
    seeds_of,
    write_fold,
)
from nearkin.training.callbacks import EpochSummary
from nearkin.training.run_folder import check_outside
from nearkin.training.settings import TrainSettings

# Settings that decide how pictures are decoded, and whether the backbone takes them.
_OF_PICTURES = {"backbone", "backbone_options", "weights", "pooling", "dim", "size", "channels", "fit"}


@dataclass(frozen=True)
class TrialSummary:
    """A trial that is finished, now or in an earlier call.

    Args:
        number, total: which one it is, from 1, of how many.
        loss, backbone, seed: its names.
        recall: recall@1 on the test classes; None if the training failed.
        failure: why it did.
    """

    number: int
    total: int
    loss: str
    backbone: str
    seed: int
    recall: float | None
    failure: str | None


def compare(
    source: str | Path | Items,
    *,
    losses: Named = DEFAULT_LOSSES,
    backbones: Named | None = None,
    seeds: int = DEFAULT_SEEDS,
    folds: int = DEFAULT_FOLDS,
    out: str | Path = "runs/compare",
    label: str | None = None,
    path_column: str | None = None,
    split_by: str | None = None,
    on_trial: Callable[[TrialSummary], None] | None = None,
    on_epoch: Callable[[EpochSummary], None] | None = None,
    on_message: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    progress_bar: bool = False,
    **settings: Any,
) -> Comparison:
    """Which loss, or which backbone, suits this data.

    The classes are divided into folds. For each seed, every candidate is trained on equal budgets on all folds but two;
    one of these is for choosing the epoch, the other for testing, so that the test classes play no part in training.
    Another seed holds out other folds. The call may be stopped at any time and repeated to continue; more losses or
    seeds are added to what is there.

    Args:
        source: anything that `read_items` reads, with labels. Pictures of its split "test" are left out.
        losses: names, such as "arcface", "triplet(margin=0.1)", "arcface+0.01*center"; or a mapping from names to
            settings of their own.
        backbones: names, or a mapping to settings of their own; the one of the settings if None.
        seeds: trainings of each candidate, at least 1; 3 or more for useful intervals.
        folds: of the classes, at least 3.
        out: the folder, made if it is missing.
        label: column of the class names.
        path_column: column of the picture paths, as in `read_items`.
        split_by: a column, such as "group"; pictures with the same value stay in one fold.
        on_trial: called after each trial.
        on_epoch: called with the summary of each epoch.
        on_message: called with a line on what will be done, and how long it will take.
        progress: called with `(done, total)` while pictures are decoded.
        progress_bar: show a bar of the running epoch.
        settings: any field of `TrainSettings` for all: epochs, minutes, backbone, size, ...

    Returns:
        The ranking, with intervals, and the significant differences; `out` holds all of it.

    Raises:
        SourceError: no labels, too few classes for the folds, or other pictures than those that `out` was begun with.
        UnknownName: no such loss, option, backbone, setting or column.
        InvalidInput: a value out of range, or a run in the folder was begun with other settings.
        TrainingError: no training of any candidate could be finished.
        KeyboardInterrupt: Ctrl-C; the same call continues.

    Example:
        >>> import nearkin
        >>> found = nearkin.compare("photos/", losses=["triplet", "softmax"], minutes=2)  # doctest: +SKIP
        >>> print(found.to_markdown())  # doctest: +SKIP
    """
    seeds = check_count(seeds, "seeds")
    out, settings = Path(out), dict(settings)
    check_outside(out, source)
    backbones = backbones or [settings.pop("backbone", None) or TrainSettings.checked().backbone]
    asked: dict[str, Any] = {"losses": losses, "backbones": backbones, "seeds": seeds, "folds": folds}
    asked |= {"label": label, "split_by": split_by, **settings}
    if path_column is not None:
        asked["path_column"] = path_column
    candidates = list_candidates(losses, backbones, settings)
    items = _labelled(read_items(source, label=label, path_column=path_column))
    of_seed = seeds_of(items, seeds, folds, split_by)
    candidates = _with_size(candidates, of_seed[0], progress)
    check_output_folder(out, "--out")
    trials = [Trial(one, of_seed[seed], seed, _folder(out, one, seed)) for seed in range(seeds) for one in candidates]
    baselines = [
        Trial(one, of_seed[seed], seed, _folder(out, one, seed))
        for seed in range(seeds)
        for one in _baselines(candidates)
    ]
    for trial in trials:
        check_trial(trial)
    for seed, its in enumerate(of_seed):
        write_fold(its, out / "folds" / f"seed{seed}.csv")
    _write_yaml(asked, out / "compare.yaml")
    say = on_message or (lambda message: None)
    say(_announcement(candidates, seeds, trials))
    for trial in baselines:
        if trial.scores is None:
            run_baseline(trial)
    seconds: list[float] = []
    for number, trial in enumerate(trials, 1):
        if trial.scores is None and trial.failure is None:
            started = time.monotonic()
            first = _Estimate(say, len(trials) - number + 1) if not seconds else None
            run_trial(trial, _both(on_epoch, first), progress_bar)
            seconds.append(time.monotonic() - started)
            if number < len(trials):
                say(f"about {duration((len(trials) - number) * sum(seconds) / len(seconds))} left for all trainings")
        if on_trial is not None:
            on_trial(_summary(trial, number, len(trials)))
    comparison = conclude(items, trials, baselines, split_by)
    comparison.write(out)
    draw_charts(comparison, out)
    return comparison


class _Estimate:
    """Says after the first epoch of the first training how long all will take."""

    def __init__(self, say: Callable[[str], None], trainings: int) -> None:
        self.say, self.trainings, self.said = say, trainings, False

    def __call__(self, summary: EpochSummary) -> None:
        if not self.said:
            seconds = self.trainings * (summary.seconds + summary.remaining)
            self.say(f"about {duration(seconds)} for {self.trainings:,} trainings like the first")
        self.said = True


def _both(
    one: Callable[[EpochSummary], None] | None, other: Callable[[EpochSummary], None] | None
) -> Callable[[EpochSummary], None]:
    """A call of both."""

    def call(summary: EpochSummary) -> None:
        for each in (one, other):
            if each is not None:
                each(summary)

    return call


def _announcement(candidates: list[Candidate], seeds: int, trials: list[Trial]) -> str:
    """What is to be trained, in a line."""
    losses, backbones = len({one.loss for one in candidates}), len({one.backbone for one in candidates})
    left = sum(trial.scores is None and trial.failure is None for trial in trials)
    budgets = " or ".join(dict.fromkeys(one.settings.budget for one in candidates))
    networks = f" x {backbones} backbones" if backbones > 1 else ""
    plural = f"{losses} loss{'es' * (losses != 1)}{networks} x {seeds} seed{'s' * (seeds != 1)} x {budgets}"
    return f"{plural}: {left:,} of {len(trials):,} trainings to go, on {len(trials[0].items):,} pictures"


def _labelled(items: Items) -> Items:
    """The pictures that take part: with a label, and not set apart for a final test."""
    rows = [row for row in range(len(items)) if items.labels[row] is not None and items.splits[row] != "test"]
    if not rows:
        raise SourceError(f"{items.source}: no picture with a label: expected a folder per class, or a column 'label'")
    return items.select(rows)


def _with_size(candidates: list[Candidate], items: Items, progress: Progress | None) -> list[Candidate]:
    """The candidates with the size and channels that their backbone gets: chosen once, and decoded once."""
    known: dict[str, tuple[int, int]] = {}
    found = []
    for one in candidates:
        key = one.settings.model_dump_json(include=_OF_PICTURES)
        if key not in known:
            preprocessing = prepare_seed(items, one.settings, progress).encoder.preprocessing
            known[key] = preprocessing.height, preprocessing.channels
        size, channels = known[key]
        settings = one.settings.model_copy(update={"size": size, "channels": channels})
        found.append(Candidate(one.loss, one.backbone, settings))
    return found


def _baselines(candidates: list[Candidate]) -> list[Candidate]:
    """Raw pixels, and each backbone as its trainings begin."""
    first = {one.backbone: one.settings for one in reversed(candidates)}
    raw = Candidate(RAW_PIXELS, "", candidates[0].settings)
    return [
        raw,
        *(Candidate(FROZEN if its.weights else UNTRAINED, name, its) for name, its in reversed(first.items())),
    ]


def _folder(out: Path, candidate: Candidate, seed: int) -> Path:
    return out / candidate.folder / f"seed{seed}"


def _write_yaml(asked: Mapping[str, Any], path: Path) -> None:
    plain = {
        name: dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
        for name, value in asked.items()
    }
    write_whole(path, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _summary(trial: Trial, number: int, total: int) -> TrialSummary:
    scores, one = trial.scores, trial.candidate
    recall = None if scores is None else float(scores.values[HEADLINE].mean())
    return TrialSummary(number, total, one.loss, one.backbone, trial.seed, recall, trial.failure)
