"""What a comparison comes to: who stands where, which differences are real, and both as a table, JSON and words."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nearkin.intervals.all_pairwise import Difference
from nearkin.intervals.figure import Figure

# The figure by which contenders are ranked and compared.
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
class Standing:
    """One contender or baseline, over all seeds.

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
        return sum(result.seconds for result in self.by_seed) / len(self.by_seed)


@dataclass(frozen=True)
class Comparison:
    """The outcome.

    Args:
        title: what was compared on what.
        standings: the best first.
        differences: of every two standings, by their places; of recall@1.
        notes: what the reader must know.

    Example:
        >>> figures = [{HEADLINE: Figure(value, value, value, 9)} for value in (0.9, 0.5)]
        >>> names = [("arcface", False), ("raw pixels", True)]
        >>> standings = [Standing(name, "conv4", base, f, ()) for (name, base), f in zip(names, figures)]
        >>> found = Comparison("shapes", tuple(standings), (Difference(0, 1, 0.4, 0.3, 0.5),), ())
        >>> found.sentences()[0]
        'arcface is the best by recall@1, 90.0 %, and surely better than every other.'
    """

    title: str
    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    def name(self, place: int) -> str:
        """Loss, with its backbone where there are several."""
        standing = self.standings[place]
        several = len({other.backbone for other in self.standings if not other.is_baseline}) > 1
        return f"{standing.loss} on {standing.backbone}" if several and standing.backbone else standing.loss

    def beaten_by(self, place: int) -> list[int]:
        """Places that this one is surely better than."""
        return sorted(pair.worse for pair in self.differences if pair.better == place and pair.is_real)

    def sentences(self) -> list[str]:
        """Which differences are real, in words."""
        others = range(1, len(self.standings))
        beaten = self.beaten_by(0)
        first = f"{self.name(0)} is the best by {HEADLINE}, {100 * self.standings[0].figures[HEADLINE].value:.1f} %"
        if len(beaten) == len(others):
            sentences = [f"{first}, and surely better than every other."]
        else:
            level = ", ".join(self.name(place) for place in others if place not in beaten)
            below = ", ".join(self.name(place) for place in beaten) or "none"
            sentences = [f"{first}; the data do not tell it from {level}; it is surely better than {below}."]
        for base, standing in enumerate(self.standings):
            if standing.is_baseline:
                weak = [self.name(place) for place in self._rivals(base) if base not in self.beaten_by(place)]
                who = f"Not surely better than {self.name(base)}: {', '.join(weak)}."
                sentences.append(who if weak else f"Every loss is surely better than {self.name(base)}.")
        return [*sentences, f"Surely: with 95 %, for all {len(self.differences)} pairs at once."]

    def table(self) -> list[list[str]]:
        """Cells, the header first."""
        metrics = list(self.standings[0].figures)
        rows = [["#", "name", *(f"{metric}, %" for metric in metrics), "surely above #", "epochs", "seconds"]]
        for place, standing in enumerate(self.standings):
            others = [_shown(standing.figures[metric]) for metric in metrics if metric != HEADLINE]
            beaten = _ranges([beaten + 1 for beaten in self.beaten_by(place)])
            epochs = _ranges(sorted({result.epochs for result in standing.by_seed}))
            cost = ["-", "-"] if standing.is_baseline else [epochs, f"{standing.seconds:.0f}"]
            rows.append([str(place + 1), self.name(place), _shown(standing.figures[HEADLINE]), *others, beaten, *cost])
        return rows

    def _rivals(self, base: int) -> list[int]:
        """Places of what was trained, on the baseline's backbone if it has one."""
        backbone = self.standings[base].backbone
        return [
            place
            for place, standing in enumerate(self.standings)
            if not standing.is_baseline and backbone in ("", standing.backbone)
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
                "value": round(pair.value, 4),
                "interval": [round(pair.low, 4), round(pair.high, 4)],
                "is_real": pair.is_real,
            }
            for pair in self.differences
        ]
        return {
            "title": self.title,
            "standings": [asdict(standing) for standing in self.standings],
            "differences": differences,
            "sentences": self.sentences(),
            "notes": list(self.notes),
        }

    def write(self, out: Path) -> None:
        """Write report.md, results.json and results.csv, a row for each trial."""
        (out / "report.md").write_text(
            f"{self.to_markdown()}\n![](recall.png)\n\n![](recall_against_time.png)\n", encoding="utf-8"
        )
        (out / "results.json").write_text(
            json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        metrics = list(self.standings[0].figures)
        with (out / "results.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["loss", "backbone", "seed", *metrics, "queries", "classes", "epochs", "seconds"])
            for standing in self.standings:
                for one in standing.by_seed:
                    values = [f"{one.values[metric]:.5f}" for metric in metrics]
                    counts = [one.queries, one.classes, one.epochs, f"{one.seconds:.1f}"]
                    writer.writerow([standing.loss, standing.backbone, one.seed, *values, *counts])


def _shown(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{100 * figure.value:.1f}"
    return f"{100 * figure.value:.1f} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def _ranges(places: Sequence[int]) -> str:
    """[4, 5, 6, 8] as "4-6, 8"."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "-"
