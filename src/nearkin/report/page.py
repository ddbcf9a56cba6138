"""The report as a page: one HTML file that needs no network, for light and dark, wide and narrow screens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from nearkin.calibration.curve import Curve
from nearkin.calibration.decisions import Calibration
from nearkin.evaluation.protocols import PROTOCOLS
from nearkin.evaluation.report import Report, shown_figure
from nearkin.report.diagnostics import Diagnostics
from nearkin.report.mistakes import Mistake
from nearkin.report.plots import STYLE, Axis, Plot, reliability_plot

TEMPLATE = "page.html.j2"

# Classes in the table, and pictures in a list; the others are in the JSON.
CLASSES, LISTED = 300, 200

# The lowest false accept rate that is drawn, in powers of ten below one pair of classes.
_LEAST_FAR = 1e-6

# Figures in large type at the top.
_HEADLINES = 4


@dataclass(frozen=True)
class PageContent:
    """What the page shows beside the report.

    Args:
        facts: what was evaluated, by name: model, data, seed, command, ...
        diagnostics: what stands behind the figures; None where there are no labels.
        calibration: of the encoder, to be held against these data.
        thumbnails: data URI of each picture that is shown, by row.
        captions: what is written below it: its class.
        picture_names: of the pictures that are shown, by row: their files.
    """

    facts: Mapping[str, str]
    diagnostics: Diagnostics | None = None
    calibration: Calibration | None = None
    thumbnails: Mapping[int, str] = field(default_factory=dict)
    captions: Mapping[int, str] = field(default_factory=dict)
    picture_names: Mapping[int, str] = field(default_factory=dict)


class Headline(NamedTuple):
    """A figure in large type."""

    name: str
    value: str
    interval: str
    beside: str


class Held(NamedTuple):
    """A stored threshold, held against these data."""

    far: float
    score: float
    promised: tuple[float, float]
    here: float
    here_low: float
    here_high: float
    tar: float
    kept: bool


def shown_rows(diagnostics: Diagnostics) -> list[int]:
    """Rows of the pictures that the page shows."""
    mistakes = (*diagnostics.wrong_neighbours, *diagnostics.false_accepts, *diagnostics.false_rejects)
    return sorted({row for mistake in mistakes for row in (mistake.row, mistake.other)})


def render_page(report: Report, content: PageContent) -> str:
    """The page as HTML.

    Args:
        report: figures, baselines and counts.
        content: everything else.

    Example:
        >>> from nearkin.intervals.figure import Figure
        >>> report = Report("demo", {"retrieval": {"recall@1": Figure(0.5, 0.4, 0.6, 100)}})
        >>> page = render_page(report, PageContent({"model": "demo"}))
        >>> "50.0 %" in page, "<script" in page, "http" in page
        (True, False, False)
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("nearkin.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    diagnostics = content.diagnostics
    return environment.get_template(TEMPLATE).render(
        report=report,
        content=content,
        plot_style=STYLE,
        headlines=_headlines(report),
        tables=_tables(report),
        findings=_findings(report),
        plots=_plots(content) if diagnostics else [],
        held=_held(content),
        galleries=_galleries(diagnostics) if diagnostics else [],
        classes=diagnostics.classes[:CLASSES] if diagnostics else (),
        more_classes=max(0, len(diagnostics.classes) - CLASSES) if diagnostics else 0,
        map=_map_plot(content) if diagnostics else None,
    )


def _headlines(report: Report) -> list[Headline]:
    """The first headline metrics of the report's protocols."""
    found: list[Headline] = []
    for protocol, metrics in report.figures.items():
        declared = PROTOCOLS.get(protocol)
        for metric in declared.headline if declared else ():
            if metric in metrics:
                value, _, interval = shown_figure(metric, metrics[metric]).partition(" [")
                beside = ", ".join(f"{name} {report.baseline(name, protocol, metric)}" for name in report.baselines)
                name = metric.replace("_", " ").replace("/", " ")
                found.append(Headline(name, value, interval.rstrip("]"), beside))
    return found[:_HEADLINES]


def _findings(report: Report) -> list[tuple[str, list[str], int]]:
    """Lists of what the notes count: heading, the first lines, and how many more there are."""
    found = report.leakage or {}
    pairs = {
        name: [f"{' and '.join(one['pictures'])} ({one['correlation']:.3f})" for one in found.get(name, ())]
        for name in ("two_labels", "copies")
    }
    lists = {
        "One picture under two labels": pairs["two_labels"],
        "Copies among the pictures": pairs["copies"],
        "Near copies of training pictures": found.get("near_seen", []),
        "Training pictures": found.get("seen_pictures", []),
        "Training classes": found.get("seen_classes", []),
    }
    return [
        (f"{heading}: {len(lines):,}", lines[:LISTED], max(0, len(lines) - LISTED))
        for heading, lines in lists.items()
        if lines
    ]


def _tables(report: Report) -> list[dict[str, Any]]:
    """A table for each protocol: texts of the report's own table, and where a share's interval lies."""
    texts = iter(report.table())
    tables = []
    for protocol, metrics in report.figures.items():
        rows = []
        for figure in metrics.values():
            name, value, *baselines = next(texts)
            share = None
            if figure.low is not None and figure.high is not None and 0 <= figure.low <= figure.high <= 1:
                share = (100 * figure.low, 100 * figure.value, 100 * figure.high)
            rows.append({"name": name, "value": value, "share": share, "n": figure.n, "baselines": baselines})
        tables.append({"protocol": protocol.replace("_", " "), "rows": rows})
    return tables


def _plots(content: PageContent) -> list[tuple[str, str, str]]:
    """Heading, SVG and a sentence for each plot that there is."""
    diagnostics = content.diagnostics
    assert diagnostics is not None
    plots = []
    if diagnostics.curve:
        plots.append(
            (
                "True against false accepts (ROC)",
                _roc(diagnostics.curve, diagnostics.raw_curve).svg(),
                "Share of comparisons of the same class accepted, for each share of comparisons of different classes "
                "accepted; the band holds the rate over all classes like these in 95 % of cases.",
            )
        )
    if diagnostics.histogram:
        plots.append(
            ("Scores of same and different pairs", _distributions(content).svg(), "The less they overlap, the better.")
        )
    if diagnostics.probability:
        plots.append(
            (
                "Can the probability be believed?",
                reliability_plot(diagnostics.probability).svg(),
                f"Probabilities from a map that was fitted on other classes of these data, half of all pairs being the "
                f"same. Expected calibration error {100 * diagnostics.probability.ece:.1f} %.",
            )
        )
    return plots


def _roc(curve: Curve, raw: Curve | None) -> Plot:
    positive = [far for far in curve.far if far > 0]
    least = max(_LEAST_FAR, 10.0 ** np.floor(np.log10(min(positive))))
    plot = Plot(
        Axis("false accept rate", float(least), 1.0, log=True),
        Axis("true accept rate", 0.0, 1.0, percent=True),
        "True accept rate by false accept rate",
    )
    columns = [np.maximum(column, least) for column in (curve.far, curve.far_low, curve.far_high)]
    plot.band(columns[0].tolist(), curve.tar_low, curve.tar_high, 0)
    if raw is not None:
        plot.curve(np.maximum(raw.far, least).tolist(), raw.tar, 1, "raw pixels")
    plot.curve(columns[0].tolist(), curve.tar, 0, "this model")
    chance = np.logspace(np.log10(least), 0, 50)
    return plot.dashed(chance.tolist(), chance.tolist())


def _distributions(content: PageContent) -> Plot:
    histogram = content.diagnostics.histogram if content.diagnostics else None
    assert histogram is not None
    top = max(*histogram.same, *histogram.different)
    plot = Plot(
        Axis("score", histogram.edges[0], histogram.edges[-1]),
        Axis("density", 0.0, 1.05 * top),
        "Distribution of the scores of same and of different pairs",
    )
    plot.bars(histogram.edges, histogram.different, 1, "different")
    plot.bars(histogram.edges, histogram.same, 0, "same")
    if content.calibration:
        score = content.calibration.threshold().score
        plot.dashed([score, score], [0.0, top])
    return plot


def _held(content: PageContent) -> list[Held]:
    """The encoder's own thresholds: what they promise, and what they do here."""
    curve = content.diagnostics.curve if content.diagnostics else None
    if content.calibration is None or curve is None:
        return []

    def here(score: float, column: str) -> float:
        return float(np.interp(score, curve.scores, getattr(curve, column)))

    rows = []
    for threshold in map(content.calibration.threshold, content.calibration.fars):
        far, low, high, tar = (here(threshold.score, name) for name in ("far", "far_low", "far_high", "tar"))
        kept = threshold.far_low <= far <= threshold.far_high
        promised = (threshold.far_low, threshold.far_high)
        rows.append(Held(threshold.far, threshold.score, promised, far, low, high, tar, kept))
    return rows


def _galleries(diagnostics: Diagnostics) -> list[tuple[str, str, Sequence[Mistake]]]:
    kinds = (
        ("Nearest, but another class", "Left asks, right is its nearest neighbour.", diagnostics.wrong_neighbours),
        (
            "Different, but alike",
            "Different pairs with the highest scores: the false accepts.",
            diagnostics.false_accepts,
        ),
        ("Same, but far apart", "The lowest-scoring pair of a class: the false rejects.", diagnostics.false_rejects),
    )
    return [kind for kind in kinds if kind[2]]


def _map_plot(content: PageContent) -> dict[str, Any] | None:
    diagnostics = content.diagnostics
    assert diagnostics is not None
    points = diagnostics.map.points
    xs, ys = [point.x for point in points], [point.y for point in points]
    if not points or len(set(zip(xs, ys, strict=True))) < 2:
        return None
    plot = Plot(_plain(xs), _plain(ys), f"Map of the embeddings by {diagnostics.map.method}")
    order = sorted(range(len(points)), key=lambda position: points[position].colour)
    titles = [content.captions.get(points[position].row, "") for position in order]
    styles = ["other" if points[position].colour < 0 else f"f{points[position].colour}" for position in order]
    plot.dots(
        [xs[position] for position in order],
        [ys[position] for position in order],
        styles.__getitem__,
        radius=[3.0 if style == "other" else 4.5 for style in styles],
        titles=titles,
    )
    return {"svg": plot.svg(frame=False), "classes": diagnostics.map.classes, "method": diagnostics.map.method}


def _plain(values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    space = 0.04 * (high - low) or 1.0
    return Axis("", low - space, high + space)
