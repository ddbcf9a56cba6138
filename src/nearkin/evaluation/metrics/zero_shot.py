"""Zero-shot classification: pictures to classes of which only a description is known, such as their attributes."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

from nearkin.arrays import as_ids, as_vectors, check_seed, unit
from nearkin.errors import InvalidInput
from nearkin.intervals.binomial import Numbers
from nearkin.intervals.figure import Figure
from nearkin.intervals.paired_samples import Estimate, Jackknife, Mean

UNSEEN, SEEN = "unseen", "seen"
UNSEEN_AMONG_ALL, SEEN_AMONG_ALL, HARMONIC_MEAN = "unseen_among_all", "seen_among_all", "harmonic_mean"


def zero_shot(
    images: npt.ArrayLike,
    classes: npt.ArrayLike,
    labels: npt.ArrayLike,
    seen: npt.ArrayLike,
    *,
    seen_penalty: float = 0.0,
    seed: int = 0,
) -> dict[str, Figure]:
    """Accuracy of naming pictures by the nearest described class, the mean over classes.

    Args:
        images: embeddings of the pictures `[n, dim]`, none of which was trained on; scaled to unit length here.
        classes: embeddings of the classes' descriptions `[classes, dim]`; scaled to unit length here.
        labels: for each picture the row of its class `[n]`.
        seen: which classes were trained on `[classes]`.
        seen_penalty: subtracted from the scores of seen classes where both kinds compete: without it, a model prefers
            what it knows (calibrated stacking).
        seed: of the intervals, which are over classes: for other classes like these.

    Returns:
        "unseen": pictures of unseen classes, named among the unseen classes that have pictures here; "seen": those of
        seen classes among the seen ones. And, if there are both (generalised zero-shot), "unseen_among_all",
        "seen_among_all": named among all of these; and their "harmonic_mean". Of n classes that are exactly as near, a
        picture counts 1/n if its own is one of them.

    Raises:
        InvalidInput: no pictures, NaN, vectors of two lengths, a label of no class, another number of flags.

    Example:
        >>> figures = zero_shot(np.eye(3), np.eye(3), np.arange(3), np.array([False, False, True]))
        >>> figures["unseen"].value, figures["harmonic_mean"].value
        (1.0, 1.0)

    Source: Xian et al. 2018, arXiv:1707.00600, section 3.3 (means over classes, the harmonic mean); Chao et al. 2016,
    arXiv:1605.04253, eq. 1 (calibrated stacking).
    """
    seed = check_seed(seed)
    estimates = score_zero_shot(images, classes, labels, seen, seen_penalty=seen_penalty)
    return {name: one.figure(seed=seed) for name, one in estimates.items()}


def score_zero_shot(
    images: npt.ArrayLike,
    classes: npt.ArrayLike,
    labels: npt.ArrayLike,
    seen: npt.ArrayLike,
    *,
    seen_penalty: float = 0.0,
) -> dict[str, Estimate]:
    """What `zero_shot` makes figures of, for paired comparison."""
    pictures = unit(as_vectors(images, "images"))
    described = unit(as_vectors(classes, "classes", dim=pictures.shape[1]))
    return score_answers(pictures @ described.T, labels, seen, seen_penalty=seen_penalty)


def score_answers(
    scores: Float[np.ndarray, "n classes"], labels: npt.ArrayLike, seen: npt.ArrayLike, *, seen_penalty: float = 0.0
) -> dict[str, Estimate]:
    """The same from scores of each picture with each class, wherever they come from."""
    ids, known = _checked(scores, labels, seen)
    present = np.zeros(len(known), dtype=bool)
    present[ids] = True
    of_seen = known[ids]
    unseen = present & ~known
    estimates: dict[str, Estimate] = {}
    if unseen.any():
        estimates[UNSEEN] = Mean(_by_class(scores, ids, unseen)[unseen])
    if of_seen.any():
        estimates[SEEN] = Mean(_by_class(scores, ids, known)[known & present])
    if unseen.any() and of_seen.any():
        both = _by_class(scores - seen_penalty * known, ids, unseen | known)
        one, other = both[unseen], both[known & present]
        estimates |= {UNSEEN_AMONG_ALL: Mean(one), SEEN_AMONG_ALL: Mean(other), HARMONIC_MEAN: _harmonic(one, other)}
    return estimates


def zero_shot_by_chance(labels: npt.ArrayLike, seen: npt.ArrayLike) -> dict[str, Figure]:
    """What `zero_shot` gives if each candidate is as likely to be named: exact, hence without an interval.

    Example:
        >>> zero_shot_by_chance(np.array([0, 1, 2]), np.array([False, False, True]))["unseen"].value
        0.5
    """
    known = np.asarray(seen, dtype=bool)
    ids = as_ids(labels, "labels", length=np.size(labels))
    own = np.unique(ids)
    unseen, several = int((~known[own]).sum()), int(known.sum())
    found, has_seen = {}, bool(known[own].any())
    if unseen:
        found[UNSEEN] = 1 / unseen
    if has_seen:
        found[SEEN] = 1 / several
    if unseen and has_seen:
        found |= dict.fromkeys((UNSEEN_AMONG_ALL, SEEN_AMONG_ALL, HARMONIC_MEAN), 1 / (unseen + several))
    return {name: Figure(value, None, None, len(own)) for name, value in found.items()}


def _by_class(
    scores: Float[np.ndarray, "n classes"], ids: Int[np.ndarray, " n"], candidates: Bool[np.ndarray, " classes"]
) -> Float[np.ndarray, " classes"]:
    """Accuracy of each class's pictures among the candidates; NaN for classes that are none, or have no picture."""
    asked = np.flatnonzero(candidates[ids])
    among = np.where(candidates, scores[asked], -np.inf)
    best = among.max(axis=1, keepdims=True)
    own = among[np.arange(len(asked)), ids[asked]]
    right = (own == best[:, 0]) / (among == best).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.bincount(ids[asked], right, len(candidates)) / np.bincount(ids[asked], minlength=len(candidates))


def _harmonic(unseen: Float[np.ndarray, " u"], seen: Float[np.ndarray, " s"]) -> Jackknife:
    """The harmonic mean of both means, and without each class in turn."""

    def mean(u: Numbers, s: Numbers) -> Numbers:
        return 2 * u * s / np.maximum(u + s, 1e-300)

    u, s, n = float(unseen.mean()), float(seen.mean()), len(unseen) + len(seen)
    if min(len(unseen), len(seen)) < 2:
        return Jackknife(float(mean(u, s)), np.empty(0), n)
    without = [(one.sum() - one) / (len(one) - 1) for one in (unseen, seen)]
    left_out = np.concatenate([np.asarray(mean(without[0], s)), np.asarray(mean(u, without[1]))])
    return Jackknife(float(mean(u, s)), left_out, n)


def _checked(
    scores: Float[np.ndarray, "n classes"], labels: npt.ArrayLike, seen: npt.ArrayLike
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " classes"]]:
    count, classes = scores.shape
    ids = as_ids(labels, "labels", length=count)
    known = np.asarray(seen, dtype=bool)
    if known.shape != (classes,):
        raise InvalidInput(f"seen: {known.size} flags for {classes} classes")
    if not count:
        raise InvalidInput("no pictures: expected at least one")
    if ids.min() < 0 or ids.max() >= classes:
        raise InvalidInput(f"labels name classes {ids.min()} to {ids.max()}, {classes} are described")
    return ids, known
