"""The report: figures with intervals beside their baselines, what was counted, what was skipped."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from nearkin.data.items import Broken
from nearkin.errors import ArtefactError
from nearkin.files import write_whole
from nearkin.intervals.figure import Figure
from nearkin.intervals.figure_json import DIGITS, figure_from_dict, figure_to_dict
from nearkin.serialise import json_text

# protocol -> metric -> figure
Figures = Mapping[str, Mapping[str, Figure]]

# Everything else is a share, shown in per cent.
_COUNTS_RANKS = "median_rank"


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Args:
        title: what was evaluated on what.
        figures: protocol -> metric -> figure.
        baselines: name -> figures of the same shape, as far as the baseline has them.
        counts: what was counted: pictures, classes, queries, ...
        skipped: pictures that could not be read.
        notes: what the reader must know to read the figures.
        leakage: pictures and classes that were trained on, and duplicates, as `Checks.to_dict` gives them.
        diagnostics: what stands behind the figures, as `Diagnostics.to_dict` gives it, if it was computed.

    Example:
        >>> report = Report("demo", {"retrieval": {"recall@1": Figure(0.5, 0.4, 0.6, 100)}})
        >>> report.table()
        [['recall@1', '50.0 % [40.0, 60.0]']]
    """

    title: str
    figures: Figures
    baselines: Mapping[str, Figures] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[Broken, ...] = ()
    notes: tuple[str, ...] = ()
    leakage: Mapping[str, Any] | None = None
    diagnostics: Mapping[str, Any] | None = None

    @property
    def columns(self) -> list[str]:
        """Headings of `table`."""
        return ["metric", "value [95 % interval]", *self.baselines]

    def table(self) -> list[list[str]]:
        """One row per metric: its name, its value with the interval, and each baseline's."""
        return [
            [metric, shown_figure(metric, figure), *(self.baseline(name, protocol, metric) for name in self.baselines)]
            for protocol, metrics in self.figures.items()
            for metric, figure in metrics.items()
        ]

    def to_markdown(self) -> str:
        """The report for a model card: table, counts and notes.

        Example:
            >>> print(Report("demo", {"retrieval": {"recall@1": Figure(0.5, None, None, 4)}}).to_markdown())
            demo
            <BLANKLINE>
            | metric | value [95 % interval] |
            |---|---|
            | recall@1 | 50.0 % |
        """
        lines = [self.columns, ["---"] * len(self.columns), *self.table()]
        table = "\n".join(
            f"| {' | '.join(line)} |".replace("| --- ", "|---").replace("---|---", "---|---") for line in lines
        )
        return "\n\n".join([self.title, table, *([self.summary()] if self.summary() else []), *self.notes])

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return html_table(self.title, self.columns, self.table(), (self.summary(), *self.notes))

    def summary(self) -> str:
        """The counts in one line.

        Example:
            >>> Report("demo", {}, counts={"pictures": 4, "queries_without_match": 1}).summary()
            'pictures: 4, queries without match: 1'
        """
        return ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in self.counts.items())

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it: figures as {"value", "interval", "n"}."""
        return {
            "title": self.title,
            "figures": figures_to_json(self.figures),
            "baselines": {name: figures_to_json(figures) for name, figures in self.baselines.items()},
            "counts": dict(self.counts),
            "skipped": [asdict(broken) for broken in self.skipped],
            "notes": list(self.notes),
            **({} if self.leakage is None else {"leakage": dict(self.leakage)}),
            **({} if self.diagnostics is None else {"diagnostics": dict(self.diagnostics)}),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Report":
        """The inverse of `to_dict`; numbers are rounded to six digits after the point there."""
        return Report(
            title=values["title"],
            figures=_from_json(values["figures"]),
            baselines={name: _from_json(figures) for name, figures in values["baselines"].items()},
            counts=dict(values["counts"]),
            skipped=tuple(Broken(**broken) for broken in values["skipped"]),
            notes=tuple(values["notes"]),
            leakage=values.get("leakage"),
            # Version 0.1.0 wrote "evidence".
            diagnostics=values.get("diagnostics", values.get("evidence")),
        )

    def write(self, path: Path) -> None:
        """Write `to_dict` as a JSON file."""
        write_whole(path, json_text(self) + "\n")

    @staticmethod
    def read(path: Path) -> "Report":
        """The report in a file that `write` wrote.

        Raises:
            ArtefactError: no such file, or it holds no report.
        """
        try:
            return Report.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ArtefactError(f"{path}: {error.strerror or error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"{path} holds no report of nearkin: {error}") from error

    def baseline(self, name: str, protocol: str, metric: str) -> str:
        """The figure of a baseline, for `table`; "-" if it has none."""
        return shown_figure(metric, self.baselines[name].get(protocol, {}).get(metric))


def html_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str]) -> str:
    """A titled table with lines of text below, for notebooks.

    Example:
        >>> html_table("a < b", ["metric"], [["map"]], ["A note."])
        '<b>a &lt; b</b><table><tr><th>metric</th></tr><tr><td>map</td></tr></table><p>A note.</p>'
    """

    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = row(columns, "th") + "".join(row(cells, "td") for cells in rows)
    return f"<b>{escape(title)}</b><table>{body}</table>" + "".join(f"<p>{escape(line)}</p>" for line in lines if line)


def shown_figure(metric: str, figure: Figure | None, *, signed: bool = False) -> str:
    """A figure with its interval, in per cent if it is a share; differences are signed, in points.

    Example:
        >>> shown_figure("auc", Figure(0.5, 0.4, 0.6, 9)), shown_figure("auc", Figure(0.5, 0.4, 0.6, 9), signed=True)
        ('50.0 % [40.0, 60.0]', '+50.0 [+40.0, +60.0]')
    """
    if figure is None:
        return "-"
    value = _number(metric, figure.value, signed) + ("" if signed else _unit(metric))
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{_number(metric, figure.low, signed)}, {_number(metric, figure.high, signed)}]"


def _number(metric: str, value: float, signed: bool = False) -> str:
    sign = "+" if signed else ""
    # Rounded first as in JSON, so that a figure read from there is shown the same.
    value = round(value, DIGITS)
    return f"{round(value, 1):{sign}g}" if metric.endswith(_COUNTS_RANKS) else f"{100 * value:{sign}.1f}"


def _unit(metric: str) -> str:
    return "" if metric.endswith(_COUNTS_RANKS) else " %"


def figures_to_json(figures: Figures) -> dict[str, Any]:
    """Figures as JSON has them."""
    return {
        protocol: {metric: figure_to_dict(figure) for metric, figure in metrics.items()}
        for protocol, metrics in figures.items()
    }


def _from_json(figures: Mapping[str, Any]) -> dict[str, dict[str, Figure]]:
    return {
        protocol: {metric: figure_from_dict(entry) for metric, entry in metrics.items()}
        for protocol, metrics in figures.items()
    }
