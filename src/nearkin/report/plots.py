"""Plots as SVG text: no dependency, no network, and colours that follow the page's light or dark scheme.

Series are coloured by the classes c0, c1, ...; `STYLE` says how. A plot of its own brings it along.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from nearkin.calibration.probability import ProbabilityMap

WIDTH, HEIGHT = 520, 340
LEFT, RIGHT, TOP, BOTTOM = 58, 22, 16, 48

# Of Okabe & Ito, which colour-blind people can tell apart; on dark paper the same, lighter.
STYLE = """
.plot{--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#e69f00;--c5:#56b4e9;--c6:#7a5195;--c7:#8c6d31;
--c8:#b3423a;--c9:#3d8b8b;--ink:#1d2430;--soft:#697386;--line:#dfe3ea;--paper:#fff}
@media(prefers-color-scheme:dark){.plot{--c0:#5cb6f2;--c1:#ff9152;--c2:#3fd0a4;--c3:#eaa3cb;--c4:#f5c04d;--c5:#8fd3ff;
--c6:#b79be0;--c7:#c9ab6a;--c8:#f08a80;--c9:#74c7c7;--ink:#e8ebf1;--soft:#98a2b3;--line:#343c4a;--paper:#171b22}}
.plot text{font:12px system-ui,sans-serif;fill:var(--soft)}.plot .title{fill:var(--ink)}
.plot .grid{stroke:var(--line);stroke-width:1}.plot .axis{stroke:var(--soft);stroke-width:1}
.plot .curve{fill:none;stroke-width:2.2;stroke-linejoin:round}.plot .band{opacity:.16;stroke:none}
.plot .bars{opacity:.5;stroke:none}.plot .dashed{stroke-dasharray:5 5;stroke:var(--soft);stroke-width:1.2;fill:none}
.plot .dot{stroke:var(--paper);stroke-width:.8}.plot .other{fill:var(--soft);opacity:.35}
""" + "".join(f".plot .s{n}{{stroke:var(--c{n})}}.plot .f{n}{{fill:var(--c{n})}}" for n in range(10))


@dataclass(frozen=True)
class Axis:
    """From values to pixels.

    Args:
        title: with its unit.
        low, high: ends.
        log: by powers of ten; low > 0 then.
        percent: labels in per cent.
    """

    title: str
    low: float
    high: float
    log: bool = False
    percent: bool = False

    def share(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        """Places along the axis, 0 to 1; what lies outside is moved to the end."""
        array = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        low, high = self.low, self.high
        if self.log:
            array, low, high = np.log10(array), math.log10(low), math.log10(high)
        return (array - low) / ((high - low) or 1.0)

    def ticks(self) -> list[float]:
        """Round values: powers of ten, or about five steps of 1, 2 or 5."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [10.0**power for power in powers]
        span = (self.high - self.low) or 1.0
        unit = 10 ** math.floor(math.log10(span / 5))
        step = next(factor * unit for factor in (1, 2, 5, 10) if span / (factor * unit) <= 6)
        first = math.ceil(self.low / step - 1e-9)
        return [float(number * step) for number in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def label(self, value: float) -> str:
        return f"{round(100 * value, 6):g} %" if self.percent else f"{round(value, 9):g}"


@dataclass(frozen=True)
class Plot:
    """Axes with what is drawn between them.

    Args:
        x, y: the axes.
        title: what is shown, for readers who do not see it.
        marks: SVG elements, in order.
        legend: names by colour.
    """

    x: Axis
    y: Axis
    title: str
    marks: list[str] = field(default_factory=list)
    legend: list[tuple[int, str]] = field(default_factory=list)

    def curve(self, xs: Sequence[float], ys: Sequence[float], colour: int, name: str = "") -> "Plot":
        """A line through these points; named, it is in the legend."""
        self.marks.append(f'<polyline class="curve s{colour}" points="{self._points(xs, ys)}"/>')
        if name:
            self.legend.append((colour, name))
        return self

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], colour: int) -> "Plot":
        """An area between two lines, such as an interval."""
        there, back = self._points(xs, lows), self._points(list(xs)[::-1], list(highs)[::-1])
        self.marks.append(f'<polygon class="band f{colour}" points="{there} {back}"/>')
        return self

    def bars(self, edges: Sequence[float], heights: Sequence[float], colour: int, name: str = "") -> "Plot":
        """A histogram."""
        xs = np.repeat(np.asarray(edges, dtype=np.float64), 2)
        ys = np.concatenate([[0.0], np.repeat(np.asarray(heights, dtype=np.float64), 2), [0.0]])
        self.marks.append(f'<polygon class="bars f{colour}" points="{self._points(xs, ys)}"/>')
        self.marks.append(f'<polyline class="curve s{colour}" points="{self._points(xs, ys)}"/>')
        if name:
            self.legend.append((colour, name))
        return self

    def dashed(self, xs: Sequence[float], ys: Sequence[float]) -> "Plot":
        """A line to compare with."""
        self.marks.append(f'<polyline class="dashed" points="{self._points(xs, ys)}"/>')
        return self

    def dots(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        style: Callable[[int], str],
        *,
        radius: Sequence[float],
        titles: Sequence[str] = (),
    ) -> "Plot":
        """Points; `style` gives the class of each, and titles show when one is pointed at."""
        for number, (point, size) in enumerate(zip(self._pixels(xs, ys), radius, strict=True)):
            inside = f"<title>{escape(titles[number])}</title>" if titles else ""
            position = f'cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="{size:.1f}"'
            self.marks.append(f'<circle class="dot {style(number)}" {position}>{inside}</circle>')
        return self

    def svg(self, *, alone: bool = False, frame: bool = True) -> str:
        """The plot; `alone` in a file of its own, with its style; without the `frame` of axes if they say nothing."""
        style = f"<style>{STYLE}</style>" if alone else ""
        namespace = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
        return (
            f'<svg class="plot"{namespace} viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">'
            f"{style}{self._axes() if frame else ''}{''.join(self.marks)}{self._legend()}</svg>"
        )

    def _pixels(self, xs: Sequence[float] | np.ndarray, ys: Sequence[float] | np.ndarray) -> np.ndarray:
        left = LEFT + self.x.share(xs) * (WIDTH - LEFT - RIGHT)
        return np.stack([left, HEIGHT - BOTTOM - self.y.share(ys) * (HEIGHT - TOP - BOTTOM)], axis=1)

    def _points(self, xs: Sequence[float] | np.ndarray, ys: Sequence[float] | np.ndarray) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self._pixels(xs, ys))

    def _axes(self) -> str:
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = []
        for tick in self.x.ticks():
            x = self._pixels([tick], [self.y.low])[0, 0]
            parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{self.x.label(tick)}</text>')
        for tick in self.y.ticks():
            y = self._pixels([self.x.low], [tick])[0, 1]
            parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{self.y.label(tick)}</text>')
        middle = (TOP + bottom) / 2
        parts += [
            f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>',
            f'<text class="title" x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
            f"{escape(self.x.title)}</text>",
            f'<text class="title" x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
            f"{escape(self.y.title)}</text>",
        ]
        return "".join(parts)

    def _legend(self) -> str:
        return "".join(
            f'<rect class="f{colour}" x="{LEFT + 12}" y="{TOP + 8 + 19 * row}" width="14" height="4" rx="2"/>'
            f'<text class="title" x="{LEFT + 33}" y="{TOP + 15 + 19 * row}">{escape(name)}</text>'
            for row, (colour, name) in enumerate(self.legend)
        )


def reliability_plot(probability: ProbabilityMap) -> Plot:
    """How often pairs of a given probability were the same; the size of a dot is the share of pairs there."""
    plot = Plot(
        Axis("probability that was given", 0.0, 1.0, percent=True),
        Axis("share that was the same", 0.0, 1.0, percent=True),
        f"Reliability of the probability, expected calibration error {100 * probability.ece:.1f} %",
    )
    titles = [
        f"given {100 * given:.1f} %, was {100 * was:.1f} %, {100 * weight:.1f} % of pairs"
        for given, was, weight in zip(probability.predicted, probability.observed, probability.weight, strict=True)
    ]
    plot.dashed([0.0, 1.0], [0.0, 1.0]).curve(probability.predicted, probability.observed, 0)
    sizes = [3 + 9 * math.sqrt(weight) for weight in probability.weight]
    return plot.dots(probability.predicted, probability.observed, lambda _: "f0", radius=sizes, titles=titles)
