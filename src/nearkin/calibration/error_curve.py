"""Error rates by threshold, with intervals over classes, from all pairs of labelled pictures."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from nearkin.calibration.accepted import Accepted, count_accepted
from nearkin.calibration.curve import Curve, levels
from nearkin.calibration.error_rates import thresholds
from nearkin.calibration.pair_scores import CellWeights, Classes, Passes, count_all_pairs, least_score_of
from nearkin.calibration.weighting import Weighting, check_weighting
from nearkin.errors import InvalidInput
from nearkin.intervals.dyadic import ClassSums, Spread, rate_limits, spread_over_classes
from nearkin.intervals.figure import Interval, check_interval
from nearkin.progress import Progress


def error_curve(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    weighting: str = "comparisons",
    interval: str = "rate",
    progress: Progress | None = None,
) -> Curve:
    """False and true accept rates by threshold, each with its interval, from all pairs.

    Args:
        embeddings: vectors `[n, dim]`; scaled to unit length here.
        labels: class ids `[n]`; -1 for none, such rows take no part.
        weighting: "comparisons", or "classes" to weight classes equally.
        interval: "rate" holds a rate over all classes like these, "another group" that of another group of as many
            classes, in 95 % of cases.
        progress: called with rows done and rows in all, over both passes.

    Raises:
        InvalidInput: NaN, fewer than three classes, or fewer than two with two pictures.
        UnknownName: no such weighting or interval.

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
    return curve_of(
        classes.sorted(embeddings),
        classes,
        weighting=check_weighting(weighting),
        interval=check_interval(interval),
        progress=progress,
    )


def curve_of(
    vectors: Float[np.ndarray, "n dim"],
    classes: Classes,
    *,
    weighting: Weighting,
    interval: Interval,
    progress: Progress | None = None,
) -> Curve:
    """As `error_curve`, of vectors that are sorted by class."""
    passes = Passes(progress, 2, len(classes.ids))
    weights = classes.weights(weighting)
    (steps,), (counts,) = count_all_pairs([vectors], classes, weights, passes.advance)
    wanted = np.append(levels(1 / classes.different), 0.0)
    index = np.unique(np.minimum(np.append(thresholds(counts.different, wanted), 0), len(steps)))
    # Beyond the highest score that occurs nothing is accepted.
    at = np.append(steps, steps[-1] + 1)[index]
    accepted = count_accepted(vectors, classes, weights, at, passes.advance)
    far_rates = _far(accepted, classes, weights, interval)
    tar_rates = _tar(accepted, classes, weights, interval)
    columns = (tuple(column.tolist()) for column in (*far_rates, *tar_rates))
    return Curve(tuple(least_score_of(at).tolist()), *columns)


_Rates = tuple[Float[np.ndarray, " thresholds"], Float[np.ndarray, " thresholds"], Float[np.ndarray, " thresholds"]]


def _far(accepted: Accepted, classes: Classes, weights: CellWeights, interval: Interval) -> _Rates:
    sizes = weights.between * classes.sizes
    of_class = sizes * (sizes.sum() - sizes)
    whole = of_class.sum() / 2
    rate = np.clip(accepted.between.sum(axis=0) / (2 * whole), 0.0, 1.0)
    errors = (accepted.between - rate * of_class[:, None]) / whole
    # Squares of (accepted - rate * all), multiplied out.
    all_squares = ((sizes**2).sum() ** 2 - (sizes**4).sum()) / 2
    pairs = np.maximum(accepted.squares - 2 * rate * accepted.products + rate**2 * all_squares, 0.0) / whole**2
    leverage = weights.leverage(classes)[0]
    spread = spread_over_classes([ClassSums(errors, leverage)], pairs, cells=np.maximum(accepted.cells, 1.0))
    return _with_limits(rate, spread, classes.pairs, interval)


def _tar(accepted: Accepted, classes: Classes, weights: CellWeights, interval: Interval) -> _Rates:
    repeated = classes.sizes > 1
    of_class = (weights.within * classes.same)[repeated]
    whole = of_class.sum()
    rate = np.clip(accepted.within.sum(axis=0) / whole, 0.0, 1.0)
    errors = (accepted.within[repeated] - rate * of_class[:, None]) / whole
    spread = spread_over_classes(
        [ClassSums(errors, of_class / whole)], np.zeros(len(rate)), own=(errors**2).sum(axis=0)
    )  # fmt: skip
    return _with_limits(rate, spread, classes.repeated, interval)


def _with_limits(rate: np.ndarray, spread: Spread, independent: int, interval: Interval) -> _Rates:
    """Rates with the ends of their intervals; as rates fall from threshold to threshold, so do these."""
    low, high = rate_limits(rate, spread, independent=independent, interval=interval)
    falling = np.minimum.accumulate(np.minimum(low, rate))
    return rate, falling, np.maximum.accumulate(np.maximum(high, rate)[::-1])[::-1]
