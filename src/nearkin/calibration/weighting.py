"""What an error rate counts: comparisons, or classes with equal weight.

A false accept rate is a share of the comparisons of pictures of different classes that are accepted, a true accept
rate a share of the comparisons of pictures of one class (ISO/IEC 19795-1, NIST FRTE). A class of five hundred pictures
then counts for far more than one of five. `weighting="classes"` gives every pair of classes the same weight in a false
accept rate, and every class the same weight in a true accept rate; wherever such a rate is printed, that is said.
"""

from typing import Literal, get_args

from nearkin.errors import UnknownName

Weighting = Literal["comparisons", "classes"]

WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)

# False accepts that a false accept rate has to rest on: with fewer only its order of magnitude is known.
EVENTS = 10


def check_weighting(weighting: str) -> Weighting:
    """The weighting, if it is one.

    Raises:
        UnknownName: neither "comparisons" nor "classes".
    """
    for known in WEIGHTINGS:
        if weighting == known:
            return known
    raise UnknownName("weighting", weighting, WEIGHTINGS)


def described(weighting: Weighting) -> str:
    """What an error rate counts, in a sentence.

    Example:
        >>> described("comparisons")
        'Error rates count comparisons.'
    """
    return {
        "comparisons": "Error rates count comparisons.",
        "classes": "Error rates weight classes equally: every pair of classes counts once in a false accept rate, "
        "every class once in a true accept rate.",
    }[weighting]


def least_far(comparisons: int) -> float:
    """The lowest false accept rate that so many comparisons of different classes can show: ten false accepts.

    Example:
        >>> least_far(10_000)
        0.001
    """
    return EVENTS / max(comparisons, 1)


def comparisons_needed(far: float) -> int:
    """How many comparisons of different classes a false accept rate needs.

    Example:
        >>> comparisons_needed(1e-3)
        10000
    """
    return int(-(-EVENTS * (1 - 1e-9) // far))
