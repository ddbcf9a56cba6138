"""Several models judged on the same data: their figures, and the paired differences to the first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nearkin.data.items import Broken
from nearkin.evaluation.report import Figures, Report, figures_to_json, shown_figure


@dataclass(frozen=True)
class SideBySide:
    """What an evaluation of several models found.

    Args:
        names: of the models, in order.
        reports: of each; baselines, counts and notes are the same in all.
        differences: name -> figures: those of the model less those of the first, paired by what was measured. Where
            the interval holds 0, the data do not tell the two apart.

    Example:
        >>> from nearkin.evaluation.intervals import Figure
        >>> values = {"a": 0.5, "b": 0.75}
        >>> one, two = (Report(n, {"retrieval": {"map": Figure(v, None, None, 9)}}) for n, v in values.items())
        >>> both = SideBySide(("a", "b"), (one, two), {"b": {"retrieval": {"map": Figure(0.25, 0.1, 0.4, 9)}}})
        >>> both.table()
        [['map', '50.0 %', '75.0 %', '+25.0 [+10.0, +40.0]']]
    """

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    differences: Mapping[str, Figures]

    @property
    def title(self) -> str:
        return f"{' and '.join(self.names)}, side by side"

    @property
    def columns(self) -> list[str]:
        """Headings of `table`."""
        models = [f"{name} [95 % interval]" for name in self.names]
        return [
            "metric",
            *models,
            *(f"{name} - {self.names[0]}" for name in self.differences),
            *self.reports[0].baselines,
        ]

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
        """One row per metric: its name, each model's figure, each difference in points, each baseline's value."""
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
