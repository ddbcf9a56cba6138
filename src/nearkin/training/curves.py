"""curves.png: loss and validation figures against the epoch."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nearkin.training.run_folder import read_all_metrics, read_metrics


def draw_curves(metrics: Path, out: Path) -> None:
    """Draw the rows of `metrics.csv` into a PNG.

    Args:
        metrics: the file that training wrote.
        out: the picture to write.
    """
    rows = read_metrics(metrics)
    if not rows:
        return
    epochs = [int(row["epoch"]) for row in rows]
    shares = [name for name in rows[0] if "recall@" in name or name in ("map@r", "r_precision")]
    # The object interface, not pyplot: nothing global, and no window system is asked for.
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [float(row["loss"]) for row in rows], marker=".")
    left.set(title="training loss", xlabel="epoch")
    validated = [row for row in read_all_metrics(metrics) if row[shares[0]]] if shares else []
    for name in shares:
        at = [int(row["epoch"]) for row in validated]
        right.plot(at, [100 * float(row[name]) for row in validated], marker=".", label=name)
    right.set(title="validation, unseen classes or pairs (%)", xlabel="epoch", ylim=(0, 100))
    if shares:
        right.legend(fontsize=7)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.savefig(out, dpi=120)
