"""Fitting a calibration: error rates by threshold with intervals over classes, and a map from score to probability.

False and true accept rates count comparisons, as the table of `evaluate` does and from the same counts. Comparisons
share classes, so they are not independent; intervals come from how classes and pairs of classes differ.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nearkin.arrays import check_seed
from nearkin.calibration.decisions import Calibration, check_prior
from nearkin.calibration.error_curve import curve_of
from nearkin.calibration.linking import choose_linking
from nearkin.calibration.pair_scores import STEPS, Classes
from nearkin.calibration.probability import fit_probability
from nearkin.calibration.weighting import check_weighting
from nearkin.errors import InvalidInput
from nearkin.intervals.figure import check_interval
from nearkin.progress import Progress

# The least that a calibration is worth making from: classes for the intervals, and ones to cross-fit on.
LEAST_CLASSES = 15
LEAST_REPEATED = 10


def fit_calibration(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    fingerprint: str,
    source: str = "arrays",
    prior: float = 0.5,
    method: str = "auto",
    weighting: str = "comparisons",
    interval: str = "rate",
    notes: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """What the scores of an encoder mean, from labelled pictures of classes that it was not trained on.

    All pairs are scored, block by block: time O(n^2), memory O(block + n dim).

    Args:
        embeddings: vectors `[n, dim]`; scaled to unit length here.
        labels: class ids `[n]`; -1 for none, such rows take no part.
        fingerprint: of the encoder.
        source: name of the data, kept with the calibration.
        prior: prior probability that two pictures are the same, assumed where none is given, 0 < prior < 1.
        method: "logistic" or "isotonic" regression for the probability; "auto" takes the one that predicts classes it
            was not fitted on better.
        weighting: what error rates count: "comparisons", or "classes" to weight classes equally.
        interval: what intervals hold in 95 % of cases: the "rate" over all classes like these, or the rate that
            "another group" of as many classes shows.
        notes: kept with the calibration.
        seed: random seed of the pairs that the probability is fitted on.
        progress: called with rows done and rows in all, over both passes.

    Raises:
        InvalidInput: NaN, too few classes, too few classes with two pictures, or all scores are equal.
        UnknownName: no such method, weighting or interval.

    Example: see `Calibration`.

    Source: ISO/IEC 19795-1 (error rates count comparisons); `nearkin.intervals.dyadic` (intervals of rates); Woodruff
    1952 (from an interval of a rate to one of its quantile).
    """
    prior, seed = check_prior(prior), check_seed(seed)
    counted, kind = check_weighting(weighting), check_interval(interval)
    classes = Classes.of(labels)
    vectors = classes.sorted(embeddings)
    check_enough_classes(classes)
    _check_scores(vectors)
    return Calibration(
        fingerprint=fingerprint,
        source=source,
        counts={
            "pictures": len(classes.ids),
            "classes": len(classes.starts),
            "classes_with_two_pictures": classes.repeated,
            "same_comparisons": int(classes.same.sum()),
            "different_comparisons": classes.different,
        },
        curve=curve_of(vectors, classes, weighting=counted, interval=kind, progress=progress),
        map=fit_probability(vectors, classes.ids, method=method, weighting=counted, seed=seed),
        prior=prior,
        weighting=counted,
        interval=kind,
        notes=tuple(notes),
        linking=choose_linking(vectors, classes.ids, seed=seed),
    )


def check_enough_classes(classes: Classes) -> None:
    """Refuse too few classes, or too few with two pictures.

    Raises:
        InvalidInput: how many are needed, and how many there are.
    """
    if len(classes.starts) < LEAST_CLASSES:
        raise InvalidInput(
            f"a calibration needs at least {LEAST_CLASSES} classes; you have {len(classes.starts)}: add pictures of "
            "more of them"
        )
    if classes.repeated < LEAST_REPEATED:
        raise InvalidInput(
            f"a calibration needs at least {LEAST_REPEATED} classes with two pictures or more; you have "
            f"{classes.repeated}: add pictures of those that have one"
        )


def _check_scores(vectors: np.ndarray) -> None:
    if float((vectors @ vectors[0]).min()) >= 1 - 4 / STEPS:
        raise InvalidInput(
            "all scores are equal: the encoder gives one vector for every picture, so that no threshold can tell them "
            "apart; train it further, or with a lower learning rate"
        )
