"""What a comparison comes to: who stands where, which differences are real, and both as a table, JSON and words."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nearkin.files import write_whole, written_whole
from nearkin.intervals.all_pairwise import Difference
from nearkin.intervals.figure import Figure
from nearkin.serialise import json_text

# The figure by which candidates are ranked and compared.
HEADLINE = "recall@1"


@dataclass(frozen=True)
class SeedResult:
    """One trial.

    Args:
        seed: its number.
        values: metric -> mean over the test pictures.
        queries, classes: how many pictures asked, of how many classes.
        epochs: how many were trained; 0 for a baseline.
        seconds: how long they took.
        curve: for each validation the seconds since the start, and recall@1 on the pictures to choose by.
    """

    seed: int
    values: dict[str, float]
    queries: int
    classes: int
    epochs: int
    seconds: float
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class CandidateResult:
    """One candidate or baseline, over all seeds.

    Args:
        loss, backbone: its names.
        is_baseline: whether nothing was trained.
        figures: metric -> mean over the seeds with its 95 % interval.
        by_seed: each trial.
    """

    loss: str
    backbone: str
    is_baseline: bool
    figures: dict[str, Figure]
    by_seed: tuple[SeedResult, ...]

    @property
    def seconds(self) -> float:
        """Of a training, on average."""
        return sum(trial.seconds for trial in self.by_seed) / len(self.by_seed)


@dataclass(frozen=True)
class Comparison:
    """The outcome.

    Args:
        title: what was compared on what.
        results: the best first.
        differences: of every two results, by their ranks; of recall@1.
        notes: what the reader must know.

    Example:
        >>> figures = [{HEADLINE: Figure(value, value, value, 9)} for value in (0.9, 0.5)]
        >>> names = [("arcface", False), ("raw pixels", True)]
        >>> results = [CandidateResult(name, "conv4", base, f, ()) for (name, base), f in zip(names, figures)]
        >>> found = Comparison("shapes", tuple(results), (Difference(0, 1, 0.4, 0.3, 0.5),), ())
        >>> found.sentences()[0]
        'arcface is the best by recall@1, 90.0 %, significantly better than every other.'
    """

    title: str
    results: tuple[CandidateResult, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    def name(self, rank: int) -> str:
        """Loss, with its backbone where there are several."""
        result = self.results[rank]
        several = len({other.backbone for other in self.results if not other.is_baseline}) > 1
        return f"{result.loss} on {result.backbone}" if several and result.backbone else result.loss

    def beaten_by(self, rank: int) -> list[int]:
        """Ranks that this one is significantly better than."""
        return sorted(pair.worse for pair in self.differences if pair.better == rank and pair.is_real)

    def sentences(self) -> list[str]:
        """Which differences are real, in words."""
        others = range(1, len(self.results))
        beaten = self.beaten_by(0)
        first = f"{self.name(0)} is the best by {HEADLINE}, {100 * self.results[0].figures[HEADLINE].value:.1f} %"
        if len(beaten) == len(others):
            sentences = [f"{first}, significantly better than every other."]
        else:
            level = ", ".join(self.name(rank) for rank in others if rank not in beaten)
            below = ", ".join(self.name(rank) for rank in beaten) or "none of the others"
            sentences = [f"{first}, significantly better than {below}."]
            if beaten:
                sentences.append(f"The data do not show that it is better than {level}.")
        for base, result in enumerate(self.results):
            if result.is_baseline:
                weak = [self.name(rank) for rank in self._rivals(base) if base not in self.beaten_by(rank)]
                who = f"Not significantly better than {self.name(base)}: {', '.join(weak)}."
                sentences.append(who if weak else f"Every loss is significantly better than {self.name(base)}.")
        return [*sentences, f"Significantly: with 95 % confidence for all {len(self.differences)} pairs at once."]

    def table(self) -> list[list[str]]:
        """Cells, the header first."""
        metrics = list(self.results[0].figures)
        rows = [["#", "name", *(f"{metric}, %" for metric in metrics), "significantly above #", "epochs", "seconds"]]
        for rank, result in enumerate(self.results):
            others = [_shown(result.figures[metric]) for metric in metrics if metric != HEADLINE]
            beaten = _ranges([beaten + 1 for beaten in self.beaten_by(rank)])
            epochs = _ranges(sorted({trial.epochs for trial in result.by_seed}))
            cost = ["-", "-"] if result.is_baseline else [epochs, f"{result.seconds:.0f}"]
            rows.append([str(rank + 1), self.name(rank), _shown(result.figures[HEADLINE]), *others, beaten, *cost])
        return rows

    def _rivals(self, base: int) -> list[int]:
        """Ranks of what was trained, on the baseline's backbone if it has one."""
        backbone = self.results[base].backbone
        return [
            rank
            for rank, result in enumerate(self.results)
            if not result.is_baseline and backbone in ("", result.backbone)
        ]

    def to_markdown(self) -> str:
        """Title, table, words and notes."""
        header, *rows = [f"| {' | '.join(row)} |" for row in self.table()]
        rule = "|" + "---|" * len(self.table()[0])
        lines = [f"# {self.title}", "", header, rule, *rows, "", *self.sentences(), "", *self.notes]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON knows it."""
        differences = [
            {
                "better": self.name(pair.better),
                "worse": self.name(pair.worse),
                "value": round(pair.value, 6),
                "interval": [round(pair.low, 6), round(pair.high, 6)],
                "is_real": pair.is_real,
            }
            for pair in self.differences
        ]
        return {
            "title": self.title,
            "results": [asdict(result) for result in self.results],
            "differences": differences,
            "sentences": self.sentences(),
            "notes": list(self.notes),
        }

    def write(self, out: Path) -> None:
        """Write report.md, results.json and results.csv, a row for each trial."""
        write_whole(out / "report.md", f"{self.to_markdown()}\n![](recall.png)\n\n![](recall_against_time.png)\n")
        write_whole(out / "results.json", json_text(self) + "\n")
        metrics = list(self.results[0].figures)
        with written_whole(out / "results.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["loss", "backbone", "seed", *metrics, "queries", "classes", "epochs", "seconds"])
            for result in self.results:
                for one in result.by_seed:
                    values = [f"{one.values[metric]:.5f}" for metric in metrics]
                    counts = [one.queries, one.classes, one.epochs, f"{one.seconds:.1f}"]
                    writer.writerow([result.loss, result.backbone, one.seed, *values, *counts])


def _shown(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{100 * figure.value:.1f}"
    return f"{100 * figure.value:.1f} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def _ranges(ranks: Sequence[int]) -> str:
    """[4, 5, 6, 8] as "4-6, 8"."""
    runs: list[list[int]] = []
    for rank in ranks:
        if runs and rank == runs[-1][-1] + 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "-"
