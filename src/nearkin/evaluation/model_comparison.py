"""Several models evaluated on the same data: their figures, and the paired differences to the first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nearkin.data.items import Broken
from nearkin.evaluation.report import Figures, Report, figures_to_json, html_table, shown_figure


@dataclass(frozen=True)
class ModelComparison:
    """What an evaluation of several models found.

    Args:
        names: of the models, in order.
        reports: of each; baselines, counts and notes are the same in all.
        differences: name -> figures: those of the model less those of the first, paired by what was measured. Where
            the interval holds 0, the data do not tell the two apart.

    Example:
        >>> from nearkin.intervals.figure import Figure
        >>> values = {"a": 0.5, "b": 0.75}
        >>> one, two = (Report(n, {"retrieval": {"map": Figure(v, None, None, 9)}}) for n, v in values.items())
        >>> both = ModelComparison(("a", "b"), (one, two), {"b": {"retrieval": {"map": Figure(0.25, 0.1, 0.4, 9)}}})
        >>> both.table()
        [['map', '50.0 %', '75.0 %', '+25.0 [+10.0, +40.0]']]
        >>> both.columns, both.title
        (['metric', 'A', 'B', 'B - A'], 'A: a, B: b; with 95 % intervals')
    """

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    differences: Mapping[str, Figures]

    @property
    def title(self) -> str:
        """Which letter stands for which model."""
        return ", ".join(f"{letter}: {name}" for letter, name in self._letters.items()) + "; with 95 % intervals"

    @property
    def _letters(self) -> dict[str, str]:
        """Short names for headings; more models than letters are numbered."""
        several = [
            chr(ord("A") + position) if position < 26 else str(position + 1) for position in range(len(self.names))
        ]
        return dict(zip(several, self.names, strict=True))

    @property
    def columns(self) -> list[str]:
        """Headings of `table`."""
        letters = list(self._letters)
        return ["metric", *letters, *(f"{other} - {letters[0]}" for other in letters[1:]), *self.reports[0].baselines]

    @property
    def counts(self) -> Mapping[str, int]:
        return self.reports[0].counts

    @property
    def notes(self) -> tuple[str, ...]:
        return self.reports[0].notes

    @property
    def skipped(self) -> tuple[Broken, ...]:
        return self.reports[0].skipped

    def table(self) -> list[list[str]]:
        """One row per metric: its name, each model's figure, each difference in points, each baseline's."""
        first = self.reports[0]
        return [
            [
                metric,
                *(shown_figure(metric, report.figures.get(protocol, {}).get(metric)) for report in self.reports),
                *(
                    shown_figure(metric, figures.get(protocol, {}).get(metric), signed=True)
                    for figures in self.differences.values()
                ),
                *(first.baseline(name, protocol, metric) for name in first.baselines),
            ]
            for protocol, metrics in first.figures.items()
            for metric in metrics
        ]

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return html_table(self.title, self.columns, self.table(), (self.summary(), *self.notes))

    def summary(self) -> str:
        """The counts in one line."""
        return self.reports[0].summary()

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the report of each model, and the differences to the first."""
        return {
            "title": self.title,
            "models": {name: report.to_dict() for name, report in zip(self.names, self.reports, strict=True)},
            "differences": {name: figures_to_json(figures) for name, figures in self.differences.items()},
        }
