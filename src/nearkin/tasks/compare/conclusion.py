"""From the scores that trials left in their folders to figures, intervals and differences."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nearkin.data.items import Items
from nearkin.errors import InvalidInput, TrainingError
from nearkin.intervals.all_pairwise import Difference, paired_differences
from nearkin.intervals.bootstrap import bootstrap_runs
from nearkin.tasks.compare.result import HEADLINE, CandidateResult, Comparison, SeedResult
from nearkin.tasks.compare.scores import METRICS, Scores
from nearkin.tasks.compare.trials import Trial
from nearkin.training.run_folder import read_metrics


def conclude(items: Items, trials: list[Trial], baselines: list[Trial], split_by: str | None) -> Comparison:
    """Figures and differences of trials that are finished or failed; a candidate with a failure is left out.

    Raises:
        TrainingError: every candidate has a failure.
    """
    ids = {name: number for number, name in enumerate(items.label_ids()[1])}
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in [*trials, *baselines]:
        groups.setdefault((trial.candidate.loss, trial.candidate.backbone), []).append(trial)
    whole = [(several, [trial.scores for trial in several]) for several in groups.values()]
    evaluated = [(several, [one for one in scores if one]) for several, scores in whole if None not in scores]
    if all(several[0] in baselines for several, _ in evaluated):
        raise TrainingError(f"no candidate was trained to the end; the first: {trials[0].failure}")
    evaluated.sort(key=lambda pair: -float(np.mean([scores.values[HEADLINE].mean() for scores in pair[1]])))
    results = [_candidate_result(several, scores, ids, several[0] in baselines) for several, scores in evaluated]
    differences = _differences([scores for _, scores in evaluated], ids)
    title = f"Losses compared on {Path(items.source).name}"
    return Comparison(title, tuple(results), differences, tuple(_notes(items, trials, split_by)))


def _candidate_result(
    trials: list[Trial], scores: list[Scores], ids: Mapping[str, int], is_baseline: bool
) -> CandidateResult:
    classes = [np.array([ids[label] for label in one.labels]) for one in scores]
    figures = {
        metric: bootstrap_runs([one.values[metric] for one in scores], groups=classes, within=(0.0, 1.0))
        for metric in METRICS
    }
    by_seed = []
    for trial, one in zip(trials, scores, strict=True):
        rows = [] if is_baseline else read_metrics(trial.folder / "metrics.csv")
        curve = tuple((float(row["seconds"]), float(row[HEADLINE])) for row in rows if row[HEADLINE])
        values = {metric: float(one.values[metric].mean()) for metric in METRICS}
        seconds = float(rows[-1]["seconds"]) if rows else 0.0
        classes_here = len(set(one.labels))
        by_seed.append(SeedResult(trial.seed, values, len(one.paths), classes_here, len(rows), seconds, curve))
    candidate = trials[0].candidate
    return CandidateResult(candidate.loss, candidate.backbone, is_baseline, figures, tuple(by_seed))


def _differences(scores: list[list[Scores]], ids: Mapping[str, int]) -> tuple[Difference, ...]:
    """Of recall@1, over the queries that all have."""
    asked = [[one.paths for one in several] for several in scores]
    if any(paths != asked[0] for paths in asked):
        raise InvalidInput("candidates were tested on other pictures than each other: compare in another folder")
    labels = [ids[label] for one in scores[0] for label in one.labels]
    repeats = np.repeat(np.arange(len(scores[0])), [len(one.paths) for one in scores[0]])
    values = np.stack([np.concatenate([one.values[HEADLINE] for one in several]) for several in scores])
    return paired_differences(values, classes=labels, repeats=repeats)


def _notes(items: Items, trials: list[Trial], split_by: str | None) -> list[str]:
    first, seeds = trials[0], len({trial.seed for trial in trials})
    kept = f" (values of '{split_by}' kept whole)" if split_by else ""
    settings = first.settings
    both = zip(first.items.labels, first.items.splits, strict=True)
    classes = Counter(split for _, split in set(both))
    notes = [
        f"{len(items):,} pictures of {len(set(items.labels)):,} classes. "
        f"The first seed learns from {classes['train']}, chooses the epoch by {classes['val']}, and is tested on "
        f"{classes['test']}{kept}; other seeds by other folds.",
        f"Trainings of each: {seeds}, of {settings.budget} each. "
        "Intervals: 95 %, for other classes and other trainings.",
    ]
    if seeds == 1:
        notes.append("One seed: nothing shows how much a training differs from the next.")
    if seeds == 2:
        notes.append("Two seeds: an interval over two trainings is very wide. Three or more (--seeds 3) say more.")
    for trial in trials:
        if trial.failure:
            notes.append(f"Left out: {trial.candidate.loss}; its training by seed {trial.seed} failed: {trial.failure}")
    return notes
