"""What is said of a picture: a name, "unknown" or "not sure", with candidates, probabilities and evidence."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.open_set import OpenSetThreshold

Decision = Literal["name", "unknown", "not sure"]


@dataclass(frozen=True)
class Evidence:
    """An example that speaks for a class.

    Args:
        row: of the example.
        score: cosine of its vector and the picture's.
    """

    row: int
    score: float


@dataclass(frozen=True)
class Candidate:
    """A class that a picture could be of.

    Args:
        name: of the class.
        class_id: its id.
        score: log likelihood ratio of this class against a stranger.
        probability: that the picture is of this class.
        evidence: the nearest examples of the class, best first.
    """

    name: str
    class_id: int
    score: float
    probability: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Recognition:
    """What is said of one picture.

    Args:
        decision: "name": the first candidate is it; "unknown": none is; "not sure": the score lies inside the interval
            of the threshold, so that the data cannot tell on which side it is.
        name: of the class; None unless the decision is "name".
        candidates: the best classes, best first; none without examples, or where the picture is ignored.
        score: of the first candidate; -inf without one.
        threshold: that it was compared with.
        reason: why there is no name, where it is not the score: "a near copy of an ignored picture".
    """

    decision: Decision
    name: str | None
    candidates: tuple[Candidate, ...]
    score: float
    threshold: OpenSetThreshold
    reason: str | None = None


def decide(score: float, threshold: OpenSetThreshold) -> Decision:
    """What the best score of a picture says.

    Example:
        >>> threshold = OpenSetThreshold(0.1, 5.0, 4.0, 6.0, 0.0, 0.2, 10, 100, 100, "a test")
        >>> [decide(score, threshold) for score in (3.9, 4.0, 6.0)]
        ['unknown', 'not sure', 'name']
    """
    if score < threshold.low or not np.isfinite(score):
        return "unknown"
    return "name" if score >= threshold.high else "not sure"


def probabilities(
    scores: Float[np.ndarray, "q classes"],
    top: Int[np.ndarray, "q k"],
    *,
    classes: int,
    stranger: float = 0.5,
    sharpness: float = 1.0,
) -> Float[np.ndarray, "q k"]:
    """Of some classes, that a picture is of each; what all classes lack to 1 is a stranger's.

    Args:
        scores: log likelihood ratios of all classes.
        top: of which classes, the best among them.
        classes: how many have examples; all are equally likely before the picture is seen.
        stranger: prior probability of a stranger.
        sharpness: of how much a log likelihood ratio is believed, > 0; see `fit_sharpness`.

    Example:
        >>> probabilities(np.log([[2.0, 2.0]]), np.array([[0, 1]]), classes=2).round(3).tolist()
        [[0.333, 0.333]]
    """
    prior = float(np.log((1 - stranger) / (stranger * max(classes, 1))))
    logits = sharpness * np.take_along_axis(scores, top, axis=1) + prior
    # No exponent is above 0, so that none overflows.
    most = np.maximum(logits.max(axis=1, initial=0.0), 0.0)[:, None]
    shares = sharpness * scores
    shares += prior - most
    total = np.exp(shares, out=shares).sum(axis=1, keepdims=True) + np.exp(-most)
    found: np.ndarray = np.exp(logits - most) / total
    return found


# Sharpnesses that are tried; one without data is 1.
_SHARPNESSES = 2.0 ** np.linspace(-3, 1, 33)


def fit_sharpness(
    own: Float[np.ndarray, " n"],
    others: Float[np.ndarray, "n k"],
    strangers: Float[np.ndarray, "m j"],
    *,
    classes: int,
) -> float:
    """How much log likelihood ratios are to be believed: by which the probabilities come out most likely.

    Args:
        own: of pictures of known classes the score of their own, without themselves.
        others: their best scores of other classes.
        strangers: of pictures of strangers the best scores.
        classes: how many have examples.

    Returns:
        1 if there are no pictures of known classes, or none of strangers.
    """
    few = min(len(own), len(strangers))
    if not few:
        return 1.0

    def surprise(sharpness: float) -> float:
        prior = -np.log(max(classes, 1))
        right = np.logaddexp(0, np.logaddexp.reduce(sharpness * others + prior, axis=1, initial=-np.inf))
        lost = np.logaddexp(right, sharpness * own + prior) - (sharpness * own + prior)
        named = np.logaddexp(0, np.logaddexp.reduce(sharpness * strangers + prior, axis=1, initial=-np.inf))
        # A normal prior around 1, so that few pictures say little.
        return float(lost.mean() + named.mean()) / 2 + 2 * np.log(sharpness) ** 2 / few

    return float(_SHARPNESSES[int(np.argmin([surprise(one) for one in _SHARPNESSES]))])
