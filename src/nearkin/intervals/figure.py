"""A number with its 95 % interval: what every protocol, index and comparison states."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, get_args

from nearkin.errors import UnknownName

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2  # the same on either side
NORMAL = NormalDist()
Z = NORMAL.inv_cdf(1 - TAIL)

# Of what an interval says where it lies: see `nearkin.intervals.dyadic`.
Interval = Literal["rate", "another group"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)


def check_interval(interval: str) -> Interval:
    """The kind of interval, if it is one.

    Raises:
        UnknownName: neither "rate" nor "another group".
    """
    for known in INTERVALS:
        if interval == known:
            return known
    raise UnknownName("interval", interval, INTERVALS)


def described_interval(interval: Interval) -> str:
    """What an interval holds, in a sentence.

    Example:
        >>> described_interval("rate")
        'Intervals hold the rate over all classes like these in 95 % of cases.'
    """
    return {
        "rate": "Intervals hold the rate over all classes like these in 95 % of cases.",
        "another group": "Intervals hold what another group of as many classes shows in 95 % of cases.",
    }[interval]


@dataclass(frozen=True)
class Figure:
    """A number and its 95 % interval.

    Args:
        value: the estimate itself, from all the data.
        low, high: ends of the interval; None where there is none: an exact number, or a single group.
        n: how many measurements (queries, comparisons, episodes) it was computed from.
    """

    value: float
    low: float | None
    high: float | None
    n: int
