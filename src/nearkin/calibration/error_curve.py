"""Error rates by threshold, with intervals over classes, from all pairs of labelled pictures."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from nearkin.calibration.curve import Curve, levels
from nearkin.calibration.error_rates import thresholds
from nearkin.calibration.pair_scores import (
    TABLE,
    CellWeights,
    Classes,
    Passes,
    blocks,
    count_all_pairs,
    least_score_of,
)  # fmt: skip
from nearkin.calibration.weighting import Weighting, check_weighting
from nearkin.errors import InvalidInput
from nearkin.progress import Progress


def error_curve(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    weighting: str = "comparisons",
    progress: Progress | None = None,
) -> Curve:
    """False and true accept rates by threshold, each with its interval, from all pairs.

    Args:
        embeddings: vectors `[n, dim]`; scaled to unit length here.
        labels: class ids `[n]`; -1 for none, such rows take no part.
        weighting: "comparisons", or "classes" to weight classes equally.
        progress: called with rows done and rows in all, over both passes.

    Raises:
        InvalidInput: NaN, fewer than three classes, or fewer than two with two pictures.
        UnknownName: no such weighting.

    Example:
        >>> curve = error_curve(np.eye(3)[[0, 0, 1, 1, 2]], np.array([0, 0, 1, 1, 2]))
        >>> curve.far[-1], curve.tar[-1]
        (0.0, 1.0)
    """
    classes = Classes.of(labels)
    if len(classes.starts) < 3 or classes.repeated < 2:
        raise InvalidInput(
            f"error rates need at least 3 classes, 2 of them with two pictures; you have {len(classes.starts)} "
            f"and {classes.repeated}"
        )
    return curve_of(classes.sorted(embeddings), classes, weighting=check_weighting(weighting), progress=progress)


def curve_of(
    vectors: Float[np.ndarray, "n dim"], classes: Classes, *, weighting: Weighting, progress: Progress | None = None
) -> Curve:
    """As `error_curve`, of vectors that are sorted by class."""
    passes = Passes(progress, 2, len(classes.ids))
    weights = classes.weights(weighting)
    (steps,), (counts,) = count_all_pairs([vectors], classes, weights, passes.advance)
    wanted = np.append(levels(1 / classes.different), 0.0)
    index = np.unique(np.minimum(np.append(thresholds(counts.different, wanted), 0), len(steps)))
    # Beyond the highest score that occurs nothing is accepted.
    at = np.append(steps, steps[-1] + 1)[index]
    accepted = _count_accepted(vectors, classes, weights, at, passes.advance)
    rates = [*_far(accepted, classes, weights), *_tar(accepted, classes, weights)]
    return Curve(tuple(least_score_of(at).tolist()), *(tuple(column.tolist()) for column in rates))


class _Accepted(NamedTuple):
    """Weight of what each threshold accepts.

    Args:
        between: of the different comparisons of each class `[classes, thresholds]`.
        within: of the comparisons within each class `[classes, thresholds]`.
    """

    between: Float[np.ndarray, "classes thresholds"]
    within: Float[np.ndarray, "classes thresholds"]


def _count_accepted(
    vectors: np.ndarray,
    classes: Classes,
    weights: CellWeights,
    at: Int[np.ndarray, " thresholds"],
    advance: Callable[[int], None],
) -> _Accepted:
    total, width = len(classes.starts), len(at) + 1
    # How many thresholds a step passes; step 0, no comparison, passes none.
    passed = np.searchsorted(at, np.arange(TABLE), side="right").astype(np.int32)
    between, within = np.zeros((total, width)), np.zeros((total, width))
    by_row = None if weights.are_equal else weights.between[classes.ids]
    for block in blocks([vectors], classes):
        bins = passed[block.different[0]]
        columns = classes.ids[block.start :] - block.first
        rows = classes.ids[block.start : block.stop] - block.first
        later = total - block.first
        found = np.zeros((later, width))
        for ids, axis in ((rows, 0), (columns, 1)):
            keys = bins + np.expand_dims((ids * width).astype(np.int32), 1 - axis)
            other = None
            if by_row is not None:
                others = by_row[block.start :] if axis == 0 else by_row[block.start : block.stop]
                other = np.broadcast_to(np.expand_dims(others, axis), bins.shape).ravel()
            found += np.bincount(keys.ravel(), weights=other, minlength=later * width).reshape(later, width)
        between[block.first :] += found
        within += np.bincount(
            block.same_classes * width + passed[block.same[0]], minlength=total * width
        ).reshape(total, width)  # fmt: skip
        advance(block.stop)
    return _Accepted(_from_each_on(between) * weights.between[:, None], _from_each_on(within) * weights.within[:, None])


def _from_each_on(counts: Float[np.ndarray, "classes bins"]) -> Float[np.ndarray, "classes thresholds"]:
    """What passes each threshold, from what passes so many; the first bin passes none."""
    return np.cumsum(counts[:, :0:-1], axis=1)[:, ::-1]


def _far(accepted: _Accepted, classes: Classes, weights: CellWeights) -> list[Float[np.ndarray, " thresholds"]]:
    sizes = weights.between * classes.sizes
    of_class = sizes * (sizes.sum() - sizes)
    return _rates(accepted.between, of_class, 2, classes.pairs)


def _tar(accepted: _Accepted, classes: Classes, weights: CellWeights) -> list[Float[np.ndarray, " thresholds"]]:
    repeated = classes.sizes > 1
    of_class = (weights.within * classes.same)[repeated]
    return _rates(accepted.within[repeated], of_class, 1, classes.repeated)


def _rates(
    accepted: Float[np.ndarray, "classes thresholds"], of_class: Float[np.ndarray, " classes"], members: int, most: int
) -> list[Float[np.ndarray, " thresholds"]]:
    """Rate at each threshold and the ends of its interval, by leaving out one class at a time.

    Args:
        accepted: weight of what is accepted of the comparisons of each class.
        of_class: weight of the comparisons of each class.
        members: how many classes a comparison belongs to, two or one.
        most: the most independent comparisons that are believed.
    """
    from scipy.special import betaincinv, stdtrit

    classes = len(of_class)
    total, whole = accepted.sum(axis=0) / members, of_class.sum() / members
    rate = np.clip(total / whole, 0.0, 1.0)
    without = (total - accepted) / (whole - of_class)[:, None]
    variance = (classes - 1) / classes * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    # As many independent comparisons would scatter like this; widened, for few classes show little of how they differ.
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = (
            np.where(variance > 0, rate * (1 - rate) / variance, most) * (1.96 / stdtrit(classes - 1, 0.975)) ** 2
        )
    # Half as many, since the group that the rate will be seen on is a draw as well.
    effective = np.clip(effective, 1.0, most) / 2
    hits = rate * effective
    # Exact (Clopper-Pearson) limits; at no hit, or all, one limit is that end itself.
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1e-300), effective - hits + 1, 0.025), 0.0)
    high = np.where(rate < 1, betaincinv(hits + 1, np.maximum(effective - hits, 1e-300), 0.975), 1.0)
    falling = np.minimum.accumulate(np.minimum(low, rate))
    return [rate, falling, np.maximum.accumulate(np.maximum(high, rate)[::-1])[::-1]]
