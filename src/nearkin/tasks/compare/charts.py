"""Pictures of a comparison: recall with intervals, and recall against time."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nearkin.tasks.compare.result import HEADLINE, CandidateResult, Comparison

_BASELINE_COLOUR = "0.7"
_COLOURS = "tab20"

Colours = dict[int, tuple[float, float, float, float]]


def draw_charts(comparison: Comparison, out: Path) -> None:
    """Draw recall.png and recall_against_time.png into a folder."""
    ranks = range(len(comparison.results))
    trained = [rank for rank in ranks if not comparison.results[rank].is_baseline]
    palette = colormaps[_COLOURS].resampled(20)
    colours: Colours = {rank: palette(number % 20) for number, rank in enumerate(trained)}
    _draw_bars(comparison, colours, out / "recall.png")
    _draw_curves(comparison, colours, out / "recall_against_time.png")


def _draw_bars(comparison: Comparison, colours: Colours, path: Path) -> None:
    count = len(comparison.results)
    figure, axes = _figure(1.2 + 0.32 * count)
    for rank, result in enumerate(comparison.results):
        shown = result.figures[HEADLINE]
        low, high = (shown.value if end is None else end for end in (shown.low, shown.high))
        colour = colours.get(rank, _BASELINE_COLOUR)
        axes.barh(rank, 100 * shown.value, color=colour, height=0.7)
        axes.plot([100 * low, 100 * high], [rank, rank], color="black", linewidth=1.2)
        dots = [100 * trial.values[HEADLINE] for trial in result.by_seed]
        axes.plot(dots, np.full(len(dots), rank), ".", color="black", markersize=4)
    axes.set_yticks(range(count), [comparison.name(rank) for rank in range(count)], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=f"{HEADLINE} on test classes (%), 95 % interval; a dot for each seed", xlim=(0, 100))
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=120)


def _draw_curves(comparison: Comparison, colours: Colours, path: Path) -> None:
    figure, axes = _figure(4.2)
    for rank, colour in colours.items():
        seconds, recall = _mean_curve(comparison.results[rank])
        axes.plot(seconds, 100 * recall, marker=".", color=colour, label=comparison.name(rank))
    axes.set(xlabel="seconds of training", ylabel=f"{HEADLINE} on validation classes (%), mean over seeds")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120)


def _mean_curve(result: CandidateResult) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the seeds, epoch by epoch, as far as all seeds came."""
    epochs = min(len(trial.curve) for trial in result.by_seed)
    curves = np.array([trial.curve[:epochs] for trial in result.by_seed]).reshape(-1, epochs, 2)
    return curves[..., 0].mean(axis=0), curves[..., 1].mean(axis=0)


def _figure(height: float) -> tuple[Figure, Axes]:
    # The object interface, not pyplot: nothing global, and no window system is asked for.
    figure = Figure(figsize=(8, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()
