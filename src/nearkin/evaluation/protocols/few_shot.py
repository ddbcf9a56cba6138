"""Few-shot: classes from one picture each, or a few (one-shot, five-shot)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nearkin.data.episodes import read_runs
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.few_shot import WAYS, Episode, FewShot, draw_episodes, score_episodes
from nearkin.evaluation.protocol import (
    FEW_CLASSES,
    Embeddings,
    GroundTruth,
    Outcome,
    Protocol,
    help_text,
    why_no_classes,
)
from nearkin.intervals.figure import Figure
from nearkin.intervals.paired_samples import Estimate


@dataclass(frozen=True, eq=False)
class FixedEpisodes:
    """Episodes that a file gives, and the pictures that they are of.

    Args:
        episodes: with rows of these pictures.
        files: of the pictures; empty if the rows are those of the evaluated pictures.
    """

    episodes: Sequence[Episode]
    files: Sequence[str] = ()


@dataclass(frozen=True)
class FewShotOptions:
    """Options of few-shot episodes; see `FewShot`.

    Raises:
        InvalidInput: a number is too small.
    """

    ways: int = field(default=5, metadata=help_text("Classes in an episode."))
    shots: Sequence[int] = field(
        default=(1, 5), metadata=help_text("Labelled pictures of each class in an episode; several numbers allowed.")
    )
    queries: int = field(default=15, metadata=help_text("Further pictures of each class, to be classified."))
    episodes: int = field(default=600, metadata=help_text("Random episodes."))
    within: str | None = field(
        default=None,
        metadata=help_text("Column of groups, such as alphabets: all classes of an episode come from one."),
    )
    runs: str | Path | FixedEpisodes | None = field(
        default=None,
        metadata=help_text("Fixed episodes in place of random ones: a folder like Omniglot's all_runs, or a table."),
    )

    def __post_init__(self) -> None:
        self.kinds  # noqa: B018 (checks the numbers)

    @property
    def kinds(self) -> tuple[FewShot, ...]:
        """The kinds of random episodes."""
        return tuple(FewShot(self.ways, shots, self.queries, self.episodes) for shots in self.shots)


def why_not_unasked(truth: GroundTruth, options: FewShotOptions) -> str | None:
    """Runs where there are classes, or fixed episodes."""
    return why_no_classes(truth) if options.runs is None else None


def read(options: FewShotOptions) -> FewShotOptions:
    """With the fixed episodes of the file.

    Raises:
        SourceError: the file is at fault.
    """
    if options.runs is None or isinstance(options.runs, FixedEpisodes):
        return options
    pictures, runs = read_runs(options.runs)
    names = sorted({run.group for run in runs if run.group is not None})
    episodes = [
        Episode(
            run.shown,
            run.shown_classes,
            run.asked,
            run.asked_classes,
            None if run.group is None else names.index(run.group),
        )
        for run in runs
    ]
    return replace(options, runs=FixedEpisodes(episodes, tuple(picture.uri for picture in pictures)))


def check(options: FewShotOptions, truth: GroundTruth) -> None:
    """The column of groups is there."""
    if options.within is not None and options.runs is None:
        truth.groups(options.within)


def pictures(options: FewShotOptions) -> Sequence[str]:
    """The pictures of the fixed episodes."""
    return options.runs.files if isinstance(options.runs, FixedEpisodes) else ()


def run(models: Sequence[Embeddings], truth: GroundTruth, options: FewShotOptions, seed: int) -> Outcome:
    """The fixed episodes, or random ones of each kind that the classes are large enough for."""
    estimates: list[dict[str, Estimate]] = [{} for _ in models]
    chance: dict[str, Figure] = {}
    notes = []

    def add(name: str, episodes: Sequence[Episode], vectors: list[np.ndarray], over: str) -> None:
        by_chance = float(np.mean([1 / len(np.unique(episode.shown_classes)) for episode in episodes]))
        for found, one in zip(estimates, vectors, strict=True):
            found |= {f"{name}/{way}": m for way, m in score_episodes(one, episodes, unit_of_interval=over).items()}
        chance.update({f"{name}/{way}": Figure(by_chance, None, None, len(episodes)) for way in WAYS})

    if isinstance(options.runs, FixedEpisodes):
        fixed = options.runs.episodes
        ways = sorted({len(np.unique(episode.shown_classes)) for episode in fixed})
        add(
            f"{'-'.join(map(str, ways))}-way fixed runs",
            fixed,
            [one.further["few_shot"] if options.runs.files else one.images for one in models],
            "groups" if _has_groups(fixed) else "episodes",
        )
        return Outcome(estimates, lambda: chance, {"episodes": len(fixed)}, _about_fixed(fixed))
    chosen, labels = truth.labelled()
    within = None
    if options.within is not None:
        groups = truth.groups(options.within)
        if unknown := int((chosen & (groups < 0)).sum()):
            notes.append(f"Pictures without an entry in {options.within}, left out of few-shot: {unknown:,}.")
        labels = labels[groups[chosen] >= 0]
        chosen = chosen & (groups >= 0)
        within = groups[chosen]
    for kind in options.kinds:
        try:
            episodes = draw_episodes(labels, kind, within=within, seed=seed)
        except InvalidInput as error:
            notes.append(f"{kind} left out: {error}.")
            continue
        over = "groups" if _has_groups(episodes) else "classes"
        if options.within is not None:
            notes.append(_about_groups(kind, episodes, options.within))
        add(str(kind), episodes, [one.images[chosen] for one in models], over)
    if not chance:
        raise InvalidInput(" ".join(notes))
    return Outcome(estimates, lambda: chance, {"episodes": max(figure.n for figure in chance.values())}, tuple(notes))


def _has_groups(episodes: Sequence[Episode]) -> bool:
    """Whether each is of a group, and of two or more in all, so that an interval can be over groups."""
    groups = {episode.group for episode in episodes}
    return None not in groups and len(groups) > 1


def _about_groups(kind: FewShot, episodes: Sequence[Episode], column: str) -> str:
    several = len({episode.group for episode in episodes})
    if several == 1:
        return f"{kind}: only one {column} has enough classes; the interval is for other classes of it, not for others."
    few = "; so few tell little of others" if several < FEW_CLASSES else ""
    return f"{kind}: episodes of {several} values of {column}; the interval is for other such values{few}."


def _about_fixed(episodes: Sequence[Episode]) -> tuple[str, ...]:
    """What the interval of fixed episodes is over."""
    if _has_groups(episodes):
        return (f"Fixed runs of {len({one.group for one in episodes})} groups; the interval is for other groups.",)
    return (
        "Fixed runs: the interval is over runs, as if each were drawn alone. If several are of one group, such as an "
        "alphabet, name it in a column group of a table of runs.",
    )


PROTOCOL = Protocol(
    summary="episodes of N classes with K labelled pictures each: do further pictures go to their class, by the "
    "nearest mean (prototype) and by the nearest picture (neighbour)?",
    metrics="accuracy of both, for each K",
    order=30,
    headline=("5-way 1-shot/prototype", "5-way 5-shot/prototype"),
    why_not_unasked=why_not_unasked,
    run=run,
    options=FewShotOptions,
    read=read,
    check=check,
    pictures=pictures,
)
