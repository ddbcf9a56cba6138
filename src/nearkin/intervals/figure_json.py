"""A figure in JSON, the same everywhere: in reports, comparisons, galleries and the output of commands."""

from collections.abc import Mapping
from typing import Any

from nearkin.intervals.figure import Figure

DIGITS = 6


def figure_to_dict(figure: Figure) -> dict[str, Any]:
    """The figure as `{"value", "interval", "n"}`, rounded to six digits; the interval is None where there is none.

    Example:
        >>> figure_to_dict(Figure(0.5, 0.4, 0.6, 100))
        {'value': 0.5, 'interval': [0.4, 0.6], 'n': 100}
    """
    interval = None
    if figure.low is not None and figure.high is not None:
        interval = [round(figure.low, DIGITS), round(figure.high, DIGITS)]
    return {"value": round(figure.value, DIGITS), "interval": interval, "n": figure.n}


def figure_from_dict(entry: Mapping[str, Any]) -> Figure:
    """The inverse of `figure_to_dict`.

    Example:
        >>> figure_from_dict({"value": 0.5, "interval": None, "n": 3})
        Figure(value=0.5, low=None, high=None, n=3)
    """
    low, high = entry["interval"] or (None, None)
    return Figure(entry["value"], low, high, entry["n"])
