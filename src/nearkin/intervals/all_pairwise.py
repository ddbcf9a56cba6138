"""Several candidates judged on the same queries: which differences are real.

Two things would differ if all were done again. Other classes would be held out: the classes of each repeat (a training
with its own seed) are drawn, the same for all candidates, so that what makes a class hard for all of them cancels out.
And each training would end elsewhere: by how much is told by how differences vary from repeat to repeat beyond what
their classes explain. A few repeats tell little of a single pair, so this variance is pooled over all pairs.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from scipy.special import stdtrit

from nearkin.arrays import as_ids
from nearkin.errors import InvalidInput
from nearkin.intervals.figure import LEVEL, NORMAL


@dataclass(frozen=True)
class Difference:
    """How much better one candidate is than another.

    Args:
        better, worse: their rows; `better` has the higher mean.
        value: difference of the means, >= 0.
        low, high: interval that holds, for all pairs at once, with 95 %.
    """

    better: int
    worse: int
    value: float
    low: float
    high: float

    @property
    def is_real(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low > 0


def paired_differences(
    values: npt.ArrayLike,
    *,
    classes: npt.ArrayLike,
    repeats: npt.ArrayLike,
    seed: int = 0,
    resamples: int = 4000,
) -> tuple[Difference, ...]:
    """Differences of means, of every pair, with intervals that hold for all pairs at once.

    The simultaneous intervals come from the largest studentised difference in each resample (max-T): they allow for
    the number of pairs, and for how candidates hang together, as Bonferroni's correction cannot. With one repeat they
    hold for these trainings only, since nothing shows how others would end.

    Args:
        values: numbers `[candidates, n]`, one per candidate and query.
        classes: class ids `[n]` of the queries.
        repeats: ids `[n]` of the trainings that the queries are answered by.
        seed: of the resamples.
        resamples: how many.

    Returns:
        One for each pair of candidates; a mean is that of the repeats' means.

    Raises:
        InvalidInput: lengths that differ, no queries, or fewer than two classes in a repeat.

    Example:
        >>> found = paired_differences([[1, 1, 1, 0], [0, 0, 0, 0]], classes=[0, 1, 2, 3], repeats=[0, 0, 0, 0])
        >>> found[0].value, found[0].is_real
        (0.75, True)

    Source: Westfall & Young 1993, Resampling-Based Multiple Testing (max-T); Satterthwaite 1946 (degrees of freedom).
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise InvalidInput(f"values of shape {values.shape}: expected numbers [candidates, queries], at least one")
    queries = values.shape[1]
    repeat_names, repeat = np.unique(as_ids(repeats, "repeats", length=queries), return_inverse=True)
    class_names, member = np.unique(as_ids(classes, "classes", length=queries), return_inverse=True)
    if len(class_names) < 2:
        raise InvalidInput("all queries are of one class: nothing shows how classes differ, expected 2 or more")
    shape = (len(repeat_names), len(class_names))
    cells = repeat * len(class_names) + member
    counts = np.bincount(cells, minlength=len(repeat_names) * len(class_names)).reshape(shape).astype(np.float64)
    sums = np.stack([np.bincount(cells, weights=row, minlength=counts.size).reshape(shape) for row in values], axis=2)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(class_names), np.full(len(class_names), 1 / len(class_names)), size=resamples)
    means = sums.sum(axis=1) / counts.sum(axis=1)[:, None]
    return _differences(means, _drawn_means(weights.astype(np.float64), sums, counts, means), shape[1], generator)


def _drawn_means(
    weights: Float[np.ndarray, "resamples classes"],
    sums: Float[np.ndarray, "repeats classes candidates"],
    counts: Float[np.ndarray, "repeats classes"],
    means: Float[np.ndarray, "repeats candidates"],
) -> Float[np.ndarray, "resamples repeats candidates"]:
    """The mean of each repeat if each class is there so many times; as it is, if none of its classes is."""
    drawn = np.empty((len(weights), *means.shape))
    for repeat, mean in enumerate(means):
        number = (weights @ counts[repeat])[:, None]
        kept = np.broadcast_to(mean, (len(weights), len(mean))).copy()
        drawn[:, repeat] = np.divide(weights @ sums[repeat], number, out=kept, where=number > 0)
    return drawn


def _differences(
    means: Float[np.ndarray, "repeats candidates"],
    drawn: Float[np.ndarray, "resamples repeats candidates"],
    classes: int,
    generator: "np.random.Generator",
) -> tuple[Difference, ...]:
    mean = means.mean(axis=0)
    pairs = [(a, b) if mean[a] >= mean[b] else (b, a) for a, b in combinations(range(len(mean)), 2)]
    if not pairs:
        return ()
    better, worse = np.array(pairs).T
    value = mean[better] - mean[worse]
    resampled = drawn[..., better] - drawn[..., worse]
    of_classes = resampled.mean(axis=1).var(axis=0)
    of_training, freedom = _variance_of_training(means[:, better] - means[:, worse], resampled, len(mean))
    noise = generator.normal(0, np.sqrt(of_training / 2), (len(drawn), len(mean)))
    again = resampled.mean(axis=1) + noise[:, better] - noise[:, worse]
    error = np.sqrt(of_classes + of_training)
    # Candidates that agree on every query never differ, in no resample.
    studentised = np.abs(again - value) / np.where(error > 0, error, np.inf)
    # Student's t has as many degrees of freedom as both variances together (Satterthwaite).
    both = of_training**2 / freedom + of_classes.mean() ** 2 / (classes - 1)
    student = stdtrit((of_training + of_classes.mean()) ** 2 / both if both > 0 else 1.0, _tail(studentised))
    reach = float(student) * error
    return tuple(
        Difference(a, b, float(middle), float(middle - half), float(middle + half))
        for (a, b), middle, half in zip(pairs, value, reach, strict=True)
    )


def _tail(studentised: Float[np.ndarray, "resamples pairs"]) -> float:
    """Below which probability one normal difference must stay, for the largest of all to stay with 95 %."""
    return NORMAL.cdf(float(np.quantile(studentised.max(axis=1), LEVEL)))


def _variance_of_training(
    differences: Float[np.ndarray, "repeats pairs"],
    resampled: Float[np.ndarray, "resamples repeats pairs"],
    candidates: int,
) -> tuple[float, int]:
    """What training adds to the variance of a mean difference, and how many degrees of freedom tell it."""
    repeats = len(differences)
    if repeats < 2:
        return 0.0, 1
    by_classes = (resampled - differences).var(axis=1, ddof=1).mean()
    added = float(differences.var(axis=0, ddof=1).mean() - by_classes) / repeats
    return max(0.0, added), (candidates - 1) * (repeats - 1)
