"""Calibration: what a score means. Thresholds with known error rates, and the probability of "same".

`nearkin.evaluation.fit_calibration` makes one; an encoder carries it, pinned to its fingerprint. All its intervals say
what another group of as many people (classes) shows in 95 % of cases.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from nearkin.errors import ArtefactError, EncoderMismatch, InvalidInput

FORMAT = 1

# A false accept rate is known to a factor of about two where ten false accepts are to be expected.
EVENTS = 10

DEFAULT_FAR = 1e-3

Decision = Literal["same", "different", "not sure"]


@dataclass(frozen=True)
class Threshold:
    """From which score on two pictures count as the same, for a wanted false accept rate.

    Args:
        far: the wanted share of different pairs that are accepted, false accept rate.
        score: pairs that score this or more are accepted.
        low, high: 95 % interval of the score: between them the data cannot tell on which side of `far` one is.
        far_low, far_high: 95 % interval of the false accept rate at `score`.
        tar, tar_low, tar_high: share of same pairs accepted at `score`, true accept rate, and its 95 % interval.
    """

    far: float
    score: float
    low: float
    high: float
    far_low: float
    far_high: float
    tar: float
    tar_low: float
    tar_high: float


@dataclass(frozen=True)
class Verdict:
    """Whether two pictures show the same, and how sure that is.

    Args:
        decision: "same", "different", or "not sure": the score lies inside the threshold's interval.
        score: cosine of the two embeddings; higher is more alike.
        euclidean: distance of the two unit vectors, 0 to 2.
        cosine_distance: 1 - score.
        probability: of "same", if before looking `prior` of all pairs are the same.
        prior: see above.
        far: share of different pairs that score this or more; far_low, far_high: its 95 % interval.
        threshold: what the score was held against.
    """

    decision: Decision
    score: float
    euclidean: float
    cosine_distance: float
    probability: float
    prior: float
    far: float
    far_low: float
    far_high: float
    threshold: Threshold


@dataclass(frozen=True)
class Curve:
    """Error rates by threshold: entry i of each column is for "accept from `scores[i]` on"; scores rise.

    Args:
        scores: thresholds.
        far, far_low, far_high: false accept rate and its 95 % interval.
        tar, tar_low, tar_high: true accept rate and its 95 % interval.
    """

    scores: tuple[float, ...]
    far: tuple[float, ...]
    far_low: tuple[float, ...]
    far_high: tuple[float, ...]
    tar: tuple[float, ...]
    tar_low: tuple[float, ...]
    tar_high: tuple[float, ...]


@dataclass(frozen=True)
class ProbabilityMap:
    """From score to probability, and how far it can be believed.

    Args:
        method: "logistic" or "isotonic" regression.
        scores, log_odds: knots of the rising map to log(p / (1 - p)) where half of all pairs are the same.
        ece: expected calibration error, 0 to 1, of probabilities given to people that the map was not fitted on.
        predicted, observed, weight: the reliability plot: mean probability of the pairs of a bin, how many of them were
            the same, and the share of the pairs that lie in it.
    """

    method: str
    scores: tuple[float, ...]
    log_odds: tuple[float, ...]
    ece: float
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    weight: tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """What the scores of one encoder mean.

    Args:
        fingerprint: of the encoder that it belongs to.
        source: name of the data.
        counts: pictures, classes, and pairs of classes behind it.
        curve: error rates by threshold.
        map: from score to probability.
        prior: share of pairs that are the same, assumed where none is given, 0 < prior < 1.
        notes: what the reader must know to judge it.

    Example:
        >>> from nearkin.evaluation import fit_calibration
        >>> generator = np.random.default_rng(0)
        >>> people = np.repeat(generator.normal(size=(30, 16)), 4, axis=0)
        >>> vectors = people + 0.5 * generator.normal(size=people.shape)
        >>> calibration = fit_calibration(vectors, np.repeat(np.arange(30), 4), fingerprint="example")
        >>> calibration.verdicts([0.1, 0.99], far=0.1)[1].decision
        'same'
    """

    fingerprint: str
    source: str
    counts: Mapping[str, int]
    curve: Curve
    map: ProbabilityMap
    prior: float = 0.5
    notes: tuple[str, ...] = ()

    @property
    def least_far(self) -> float:
        """The lowest false accept rate that the data supports."""
        return EVENTS / self.counts["pairs_of_classes"]

    @property
    def fars(self) -> tuple[float, ...]:
        """The powers of ten among the false accept rates that the data supports: 0.1, 0.01, ..."""
        return tuple(far for far in (10.0**-power for power in range(1, 10)) if far >= self.least_far * (1 - 1e-9))

    @property
    def default_far(self) -> float:
        """0.001, or the lowest power of ten that is supported if that is not."""
        return max(DEFAULT_FAR, self.fars[-1])

    def threshold(self, far: float | None = None) -> Threshold:
        """The threshold for a wanted false accept rate.

        Args:
            far: 0 < far < 1; `default_far` if it is None.

        Raises:
            InvalidInput: not between 0 and 1, or lower than the data supports.
        """
        far = self.default_far if far is None else far
        if not 0 < far < 1:
            raise InvalidInput(f"far is {far:g}, wanted a share of different pairs, more than 0 and less than 1")
        if far < self.least_far * (1 - 1e-9):
            wanted, pairs = -(-EVENTS // far), self.counts["pairs_of_classes"]
            raise InvalidInput(
                f"far {far:g} needs at least {wanted:,.0f} different pairs of people (classes); the calibration has "
                f"{pairs:,}: ask for far {self.least_far:.2g} or more, or calibrate on more classes"
            )
        score, low, high = (
            self._score_at(far, column) for column in (self.curve.far, self.curve.far_low, self.curve.far_high)
        )
        rates = [float(self._at(score, column)[0]) for column in ("far_low", "far_high", "tar", "tar_low", "tar_high")]
        return Threshold(far, score, min(low, score), max(high, score), *rates)

    def false_accept_rate(self, scores: float | npt.ArrayLike) -> Float[np.ndarray, "3 n"]:
        """Share of different pairs that score as much or more, and the ends of its 95 % interval.

        Beyond the highest score of a different pair that was seen the rate is 0, and the interval says how little that
        proves.
        """
        return np.stack([self._at(scores, column) for column in ("far", "far_low", "far_high")])

    def probability(self, scores: float | npt.ArrayLike, prior: float | None = None) -> Float[np.ndarray, " n"]:
        """Probability of "same" at these scores; rises with the score.

        Args:
            scores: cosines.
            prior: share of pairs that are the same before looking; the calibration's own if it is None.

        Raises:
            InvalidInput: prior not between 0 and 1.
        """
        prior = check_prior(self.prior if prior is None else prior)
        odds = np.interp(np.atleast_1d(np.asarray(scores, dtype=np.float64)), self.map.scores, self.map.log_odds)
        return 1 / (1 + np.exp(-(odds + np.log(prior / (1 - prior)))))

    def verdicts(
        self, scores: float | npt.ArrayLike, *, far: float | None = None, prior: float | None = None
    ) -> list[Verdict]:
        """A verdict for each score.

        Args:
            scores: cosines of two embeddings.
            far: wanted false accept rate; `default_far` if it is None.
            prior: as in `probability`.

        Raises:
            InvalidInput: NaN, or `far` or `prior` out of range.
        """
        several = np.atleast_1d(np.asarray(scores, dtype=np.float64))
        if not np.isfinite(several).all():
            raise InvalidInput(f"score {np.flatnonzero(~np.isfinite(several))[0]} is not a finite number")
        threshold = self.threshold(far)
        prior = self.prior if prior is None else prior
        columns = (several, self.probability(several, prior), *self.false_accept_rate(several))
        return [
            Verdict(
                decision=_decide(score, threshold),
                score=score,
                euclidean=float(np.sqrt(max(0.0, 2 - 2 * score))),
                cosine_distance=1 - score,
                probability=probability,
                prior=prior,
                far=far_here,
                far_low=low,
                far_high=high,
                threshold=threshold,
            )
            for score, probability, far_here, low, high in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def check(self, fingerprint: str) -> None:
        """Refuses an encoder that it does not belong to.

        Raises:
            EncoderMismatch: another fingerprint.
        """
        if fingerprint != self.fingerprint:
            raise EncoderMismatch(
                f"the calibration belongs to encoder {self.fingerprint}, this is {fingerprint}, whose scores mean "
                "something else: calibrate anew with `nearkin calibrate MODEL DATA`"
            )

    def to_dict(self) -> dict[str, Any]:
        """The calibration as JSON has it; its thresholds, which follow from the curve, are there to be read."""
        return {
            "format": FORMAT,
            "thresholds": [asdict(self.threshold(far)) for far in self.fars],
            **asdict(self),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Calibration":
        """The inverse of `to_dict`, also after a way through JSON.

        Raises:
            ArtefactError: something is missing, or a newer nearkin wrote it.
        """
        try:
            if values["format"] > FORMAT:
                raise ArtefactError(f"calibration of format {values['format']}, this nearkin reads up to {FORMAT}")
            parts: list[dict[str, Any]] = [
                {name: tuple(value) if isinstance(value, list) else value for name, value in values[part].items()}
                for part in ("curve", "map")
            ]
            return Calibration(
                fingerprint=values["fingerprint"],
                source=values["source"],
                counts=dict(values["counts"]),
                curve=Curve(**parts[0]),
                map=ProbabilityMap(**parts[1]),
                prior=values["prior"],
                notes=tuple(values["notes"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ArtefactError(f"calibration is damaged ({error}): calibrate anew with `nearkin calibrate`") from error

    def write(self, path: Path) -> None:
        """Write `to_dict` as a JSON file."""
        path.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _at(self, scores: float | npt.ArrayLike, column: str) -> Float[np.ndarray, " n"]:
        """A column of the curve at these scores, linear between the thresholds."""
        return np.interp(np.atleast_1d(np.asarray(scores, np.float64)), self.curve.scores, getattr(self.curve, column))

    def _score_at(self, far: float, column: Sequence[float]) -> float:
        """Where a column of the curve falls to `far`: linear in the logarithm, as such curves nearly are."""
        below = int(np.argmax(np.asarray(column) <= far)) if column[-1] <= far else len(column) - 1
        if below == 0 or column[below] > far or column[below] == far:
            return self.curve.scores[below]
        above = below - 1
        if column[below] <= 0:
            return self.curve.scores[below]
        share = np.log(column[above] / far) / np.log(column[above] / column[below])
        return float(self.curve.scores[above] + share * (self.curve.scores[below] - self.curve.scores[above]))


def check_prior(prior: float) -> float:
    """The prior, if it is one.

    Raises:
        InvalidInput: not between 0 and 1.
    """
    if not 0 < prior < 1:
        raise InvalidInput(f"prior is {prior:g}, wanted the share of pairs that are the same, more than 0, less than 1")
    return prior


def _decide(score: float, threshold: Threshold) -> Decision:
    if score < threshold.low:
        return "different"
    return "same" if score > threshold.high or threshold.low == threshold.high else "not sure"
