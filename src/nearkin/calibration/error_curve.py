"""Error rates by threshold, with intervals over classes, from all pairs of labelled pictures."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from nearkin.calibration.accepted import Accepted, count_accepted
from nearkin.calibration.curve import Curve, levels
from nearkin.calibration.error_rates import thresholds
from nearkin.calibration.pair_scores import CellWeights, Classes, Passes, count_all_pairs, least_score_of
from nearkin.calibration.weighting import EVENTS, Weighting, check_weighting
from nearkin.errors import InvalidInput
from nearkin.intervals.binomial import effective_trials
from nearkin.intervals.class_rates import spread_of_class_means
from nearkin.intervals.dyadic import Spread, rate_limits
from nearkin.intervals.figure import Interval, check_interval
from nearkin.intervals.pair_rates import spread_of_pair_rates
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
    index = np.unique(thresholds(counts.different, wanted))
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
    cells = np.maximum(accepted.cells, 1.0)
    spread = spread_of_pair_rates(rate, errors, pairs, weights=sizes, pictures=classes.sizes, cells=cells)
    return _with_limits(rate, spread, comparisons=classes.different, independent=classes.pairs, interval=interval)


def _tar(accepted: Accepted, classes: Classes, weights: CellWeights, interval: Interval) -> _Rates:
    repeated = classes.sizes > 1
    of_class = (weights.within * classes.same)[repeated]
    whole = of_class.sum()
    rate = np.clip(accepted.within.sum(axis=0) / whole, 0.0, 1.0)
    errors = (accepted.within[repeated] - rate * of_class[:, None]) / whole
    spread = spread_of_class_means(errors, of_class / whole, classes.same[repeated], rate * (1 - rate))
    return _with_limits(
        rate, spread, comparisons=int(classes.same.sum()), independent=classes.repeated, interval=interval
    )


def _with_limits(rate: np.ndarray, spread: Spread, *, comparisons: int, independent: int, interval: Interval) -> _Rates:
    """Rates with the ends of their intervals; as rates fall from threshold to threshold, so do these."""
    spread, trials = _where_few(rate, spread, comparisons, independent)
    low, high = rate_limits(rate, spread, independent=trials, interval=interval)
    falling = np.minimum.accumulate(np.minimum(low, rate))
    return rate, falling, np.maximum.accumulate(np.maximum(high, rate)[::-1])[::-1]


def _where_few(
    rate: np.ndarray, spread: Spread, comparisons: int, independent: int
) -> tuple[Spread, npt.NDArray[np.float64]]:
    """Where nearly none or nearly all comparisons are accepted, a handful of them tells no variance.

    There the design effect (how much more the rate varies than one of independent comparisons) is that of the nearest
    threshold that ten comparisons pass and ten do not.

    Args:
        rate: of each threshold.
        spread: of each rate.
        comparisons: of that kind.
        independent: as how many of them all are counted if there is no such threshold.

    Returns:
        The spread of each rate, and as how many independent comparisons a rate of 0 or 1 counts.
    """
    binomial = rate * (1 - rate)
    variance, freedom = np.asarray(spread.variance), np.asarray(spread.freedom)
    enough = (np.minimum(rate, 1 - rate) * comparisons >= EVENTS * (1 - 1e-9)) & (variance > 0)
    known = np.flatnonzero(enough)
    if not len(known):
        return spread, np.full(len(rate), float(independent))
    nearest = known[np.abs(known[:, None] - np.arange(len(rate))).argmin(axis=0)]
    share, of_one = (np.where(enough, column, 0.0) for column in (spread.of_classes, spread.of_one))
    borrowed = Spread(
        variance[nearest] / binomial[nearest] * binomial,
        freedom[nearest],
        share,
        np.broadcast_to(spread.effective, rate.shape)[nearest],
        of_one,
    )
    return borrowed, np.asarray(effective_trials(rate[nearest], variance[nearest], freedom[nearest]))
