"""Calibration: what a score means. Thresholds with known error rates, and the probability of "same".

`nearkin.evaluation.fit_calibration` makes one; an encoder carries it, tied to its fingerprint.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from nearkin.arrays import as_scores, check_share
from nearkin.calibration.curve import Curve
from nearkin.calibration.probability import ProbabilityMap
from nearkin.calibration.weighting import EVENTS, Weighting, check_weighting, comparisons_needed, least_far
from nearkin.errors import ArtefactError, EncoderMismatch, InvalidInput
from nearkin.files import write_whole
from nearkin.intervals.figure import Interval, check_interval
from nearkin.serialise import json_text
from nearkin.similarity.clustering.engine.linking import Linking

# 1: nearkin 0.1.0, rates weighted classes equally. 2: the weighting is stated.
FORMAT = 2

DEFAULT_FAR = 1e-3

_OF_0_1_0 = (
    "Made by nearkin 0.1.0: error rates weight classes equally (every pair of classes counts once); "
    "`nearkin calibrate` makes a calibration that counts comparisons."
)

Decision = Literal["same", "different", "not sure"]


@dataclass(frozen=True)
class Threshold:
    """From which score on two pictures count as the same, for an allowed false accept rate.

    Args:
        far: the false accept rate that is allowed: the share of comparisons of different classes that are accepted.
        score: comparisons that score this or more are accepted.
        low, high: 95 % interval of the score: between them the data cannot tell on which side of `far` one is.
        far_low, far_high: 95 % interval of the false accept rate at `score`.
        tar, tar_low, tar_high: true accept rate at `score`, the share of comparisons of the same class that are
            accepted, and its 95 % interval.
        weighting: what the rates count: "comparisons", or "classes" where classes are weighted equally.
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
    weighting: Weighting = "comparisons"


@dataclass(frozen=True)
class Verdict:
    """Whether two pictures show the same thing, and how certain that is.

    Args:
        decision: "same", "different", or "not sure": the score lies inside the threshold's interval.
        score: cosine of the two embeddings; higher is more alike.
        euclidean: distance of the two unit vectors, 0 to 2.
        cosine_distance: 1 - score.
        probability: of "same", given the prior probability.
        prior: prior probability that two pictures are the same.
        far: share of comparisons of different classes that score this or more; far_low, far_high: its 95 % interval.
        threshold: that the score was compared with.
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
class Calibration:
    """What the scores of one encoder mean.

    Args:
        fingerprint: of the encoder that it belongs to.
        source: name of the data.
        counts: pictures, classes and comparisons behind it.
        curve: error rates by threshold.
        map: from score to probability.
        prior: prior probability that two pictures are the same, assumed where none is given, 0 < prior < 1.
        weighting: what error rates count: "comparisons", or "classes" where classes are weighted equally.
        interval: what 95 % intervals cover: the "rate" over all classes like these, or the rate that
            "another group" of as many classes shows.
        notes: what limits its use.
        linking: which neighbours are linked when pictures are sorted into groups; None where that was not chosen.

    Example:
        >>> from nearkin.evaluation import fit_calibration
        >>> generator = np.random.default_rng(0)
        >>> centres = np.repeat(generator.normal(size=(30, 16)), 4, axis=0)
        >>> vectors = centres + 0.5 * generator.normal(size=centres.shape)
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
    weighting: Weighting = "comparisons"
    interval: Interval = "rate"
    notes: tuple[str, ...] = ()
    linking: Linking | None = None

    @property
    def different_comparisons(self) -> int:
        """Comparisons of different classes; nearkin 0.1.0 stated, and counted, pairs of classes instead."""
        return self.counts.get("different_comparisons", self.counts.get("pairs_of_classes", 0))

    @property
    def least_far(self) -> float:
        """The lowest false accept rate that the data supports: one at which ten false accepts are to be expected."""
        return least_far(self.different_comparisons)

    @property
    def fars(self) -> tuple[float, ...]:
        """The powers of ten among the false accept rates that the data supports: 0.1, 0.01, ..."""
        return tuple(far for far in (10.0**-power for power in range(1, 10)) if far >= self.least_far * (1 - 1e-9))

    @property
    def default_far(self) -> float:
        """0.001, or the lowest power of ten that is supported if that is not."""
        return max(DEFAULT_FAR, self.fars[-1])

    def threshold(self, far: float | None = None) -> Threshold:
        """The threshold for an allowed false accept rate.

        Args:
            far: 0 < far < 1; `default_far` if it is None.

        Raises:
            InvalidInput: not between 0 and 1, or lower than the data supports.
        """
        far = self.default_far if far is None else far
        far = check_share(far, "far", "a false accept rate")
        if far < self.least_far * (1 - 1e-9):
            raise InvalidInput(
                f"far {far:g} needs at least {comparisons_needed(far):,} comparisons of different classes, for "
                f"{EVENTS} false accepts; the calibration has {self.different_comparisons:,}: ask for far "
                f"{self.least_far:.2g} or more, or calibrate on more pictures"
            )
        score = self.curve.threshold(far)
        low, high = (self.curve.score_of(far, column) for column in (self.curve.far_low, self.curve.far_high))
        columns = ("far_low", "far_high", "tar", "tar_low", "tar_high")
        rates = {column: float(self.curve.rates(score, column)[0]) for column in columns}
        return Threshold(far, score, min(low, score), max(high, score), weighting=self.weighting, **rates)

    def false_accept_rate(self, scores: float | npt.ArrayLike) -> Float[np.ndarray, "3 n"]:
        """False accept rate if these scores and higher ones are accepted, and the ends of its 95 % interval.

        Above the highest score observed for two different classes the rate is 0, and the interval says how little that
        proves.
        """
        return np.stack([self.curve.rates(scores, column) for column in ("far", "far_low", "far_high")])

    def probability(self, scores: float | npt.ArrayLike, prior: float | None = None) -> Float[np.ndarray, " n"]:
        """Probability of "same" at these scores; rises with the score.

        Args:
            scores: cosines.
            prior: prior probability of "same"; the calibration's own if it is None.

        Raises:
            InvalidInput: prior not between 0 and 1.
        """
        prior = check_prior(self.prior if prior is None else prior)
        odds = np.interp(as_scores(scores), self.map.scores, self.map.log_odds)
        return 1 / (1 + np.exp(-(odds + np.log(prior / (1 - prior)))))

    def verdicts(
        self, scores: float | npt.ArrayLike, *, far: float | None = None, prior: float | None = None
    ) -> list[Verdict]:
        """A verdict for each score.

        Args:
            scores: cosines of two embeddings.
            far: false accept rate that is allowed; `default_far` if it is None.
            prior: as in `probability`.

        Raises:
            InvalidInput: NaN, or `far` or `prior` out of range.
        """
        several = as_scores(scores)
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
        """Refuse an encoder other than its own.

        Raises:
            EncoderMismatch: another fingerprint.
        """
        if fingerprint != self.fingerprint:
            raise EncoderMismatch(
                f"the calibration belongs to encoder {self.fingerprint}, this is {fingerprint}, whose scores mean "
                "something else: make a new one with `nearkin calibrate MODEL DATA`"
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
        """The inverse of `to_dict`, also after a round trip through JSON.

        A file of nearkin 0.1.0 opens, and says in its notes that its rates weight classes equally.

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
            notes = tuple(values["notes"])
            return Calibration(
                fingerprint=values["fingerprint"],
                source=values["source"],
                counts=dict(values["counts"]),
                curve=Curve(**parts[0]),
                map=ProbabilityMap(**parts[1]),
                prior=values["prior"],
                weighting="classes" if values["format"] == 1 else check_weighting(values["weighting"]),
                interval="another group" if values["format"] == 1 else check_interval(values["interval"]),
                linking=None if values.get("linking") is None else Linking(**values["linking"]),
                notes=notes if values["format"] > 1 else (*notes, _OF_0_1_0),
            )
        except (KeyError, TypeError, AttributeError, InvalidInput) as error:
            raise ArtefactError(f"calibration is damaged ({error}): make a new one with `nearkin calibrate`") from error

    def write(self, path: Path) -> None:
        """Write `to_dict` as a JSON file."""
        write_whole(path, json_text(self, indent=1) + "\n")


def check_prior(prior: float) -> float:
    """The prior probability, if it is one.

    Raises:
        InvalidInput: not between 0 and 1.
    """
    return check_share(prior, "prior", "a prior probability")


def _decide(score: float, threshold: Threshold) -> Decision:
    if score < threshold.low:
        return "different"
    return "same" if score > threshold.high or threshold.low == threshold.high else "not sure"
