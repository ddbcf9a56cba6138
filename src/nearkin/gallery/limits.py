"""Which scores count as a match: for pictures by a false accept rate, for words by a rate of hits without an answer."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from nearkin.arrays import check_share
from nearkin.calibration.decisions import Calibration
from nearkin.calibration.words import DEFAULT_FPIR, WordCalibration
from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput
from nearkin.gallery.hits import ChanceLimit, Limit, WordLimit
from nearkin.gallery.query import Query, kind_of, terms_of
from nearkin.gallery.version import GalleryVersion
from nearkin.recognition.open_set import StrangerScores, open_set_threshold


@runtime_checkable
class Calibrated(Protocol):
    """An encoder that may have a calibration; `nearkin.Encoder` is one."""

    def checked_calibration(self) -> Calibration: ...


@runtime_checkable
class WordsCalibrated(Protocol):
    """An encoder that may have a calibration of words; `nearkin.Encoder` is one."""

    def checked_word_calibration(self) -> WordCalibration: ...


def limits_of(
    queries: Sequence[Query] | np.ndarray,
    version: GalleryVersion,
    encoder: Embedder,
    *,
    far: float | None = None,
    fpir: float | None = None,
    where: str | None = None,
) -> list[Limit]:
    """From which score on an item is a match, for each query.

    Args:
        queries: what is asked for.
        version: the items.
        encoder: whose calibrations.
        far: false accept rate, for pictures; None for the default of the calibration.
        fpir: for words, the share of queries without an answer that may get a hit; None for 0.1.
        where: only items that pass this filter are searched.

    Raises:
        InvalidInput: no calibration of the kind; a mixture with words; words of a language without captions; a rate
            that the calibration does not support.
        EncoderMismatch: the calibration is of other weights.
    """
    words = [_words(query) for query in ([None] * len(queries) if isinstance(queries, np.ndarray) else queries)]
    if fpir is not None:
        fpir = check_share(fpir, "fpir", "the share of queries without an answer that may get a hit")
    of_pictures = _of_pictures(encoder, far) if None in words else None
    judged = _WordLimits(version, encoder, DEFAULT_FPIR if fpir is None else fpir, where)
    return [of_pictures if text is None else judged.of(text) for text in words]  # type: ignore[misc]


def _words(query: Query | None) -> str | None:
    """The words, if a query is of words alone; None if there are none in it.

    Raises:
        InvalidInput: a mixture with words.
    """
    if query is None:
        return None
    terms = terms_of(query)
    of_words = [term for term in terms if kind_of(term.value) == "words"]
    if not of_words:
        return None
    if len(terms) > 1 or terms[0].weight < 0:
        raise InvalidInput(
            "honest: a mixture with words is no query whose scores are calibrated: ask for the words alone, or give a "
            "threshold"
        )
    return str(of_words[0].value)


def _of_pictures(encoder: Embedder, far: float | None) -> ChanceLimit:
    if not isinstance(encoder, Calibrated):
        raise InvalidInput(f"honest: encoder {encoder.fingerprint} cannot have a calibration: give a threshold")
    try:
        threshold = encoder.checked_calibration().threshold(far)
    except InvalidInput as error:
        raise _brought_along(error) from error
    return ChanceLimit(threshold.far, threshold.score, 0)


def _brought_along(error: InvalidInput) -> InvalidInput:
    if "no calibration" not in str(error):
        return InvalidInput(f"honest: {error}")
    return InvalidInput(f"honest: {error}; then `nearkin reindex GALLERY --model MODEL` brings it into the gallery")


class _WordLimits:
    """The limits of words in one gallery at one rate; each language is measured when it is first asked for."""

    def __init__(self, version: GalleryVersion, encoder: Embedder, fpir: float, where: str | None) -> None:
        self._version, self._encoder, self._fpir, self._where = version, encoder, fpir, where
        self._of_language: dict[str, WordLimit] = {}

    def of(self, text: str) -> WordLimit:
        """The highest limit of the languages that a text can be of, so that the rate holds for each."""
        calibration = self._calibration()
        languages = calibration.languages_like(text)
        if not languages:
            known = ", ".join(f"{language} ({script})" for language, script in calibration.scripts.items())
            raise InvalidInput(
                f"honest: no captions in the script of '{text[:60]}' were calibrated, only {known}: calibrate on "
                "captions in this language, or give a threshold"
            )
        return max((self._measured(calibration, language) for language in languages), key=lambda one: one.threshold)

    def _calibration(self) -> WordCalibration:
        if not isinstance(self._encoder, WordsCalibrated):
            raise InvalidInput(
                f"honest: encoder {self._encoder.fingerprint} cannot have a calibration of words: give a threshold"
            )
        try:
            return self._encoder.checked_word_calibration()
        except InvalidInput as error:
            raise _brought_along(error) from error

    def _measured(self, calibration: WordCalibration, language: str) -> WordLimit:
        if language not in self._of_language:
            captions = calibration.of_language(language)
            scores, items = self._version.best_of_captions(calibration, language, self._where)
            self._of_language[language] = caption_limit(
                scores, calibration.owners[captions], self._fpir, items, language
            )
        return self._of_language[language]


def caption_limit(
    scores: Float[np.ndarray, " m"], owners: Int[np.ndarray, " m"], fpir: float, items: int, language: str = ""
) -> WordLimit:
    """The score that the promised share of captions reaches.

    Args:
        scores: the best score of each caption with items that are no answer to it; not finite if there is none.
        owners: of each caption; those of one picture tell less than those of several.
        fpir: share of queries without an answer that may get a hit.
        items: that the captions were compared with.
        language: of the captions.

    Raises:
        InvalidInput: too few captions for the rate.

    Example:
        >>> caption_limit(np.arange(100) / 100, np.arange(100), 0.1, 1000).threshold
        0.9
    """
    there = np.isfinite(scores)
    count = int(there.sum())
    against = np.full(count, max(items, 1))
    nobody = np.full(count, len(owners))
    trials = StrangerScores(
        scores[there].astype(np.float64), nobody, -1 - owners[there], against, np.zeros((count, 1)), ("captions",)
    )
    try:
        found = open_set_threshold(trials, fpir, max(items, 1))
    except InvalidInput as error:
        lowest = 1 / max(1, len(np.unique(trials.strangers)))
        raise InvalidInput(
            f"honest: fpir {fpir:g} needs more captions than the {len(trials):,} that were calibrated: "
            f"ask for {lowest:.2g} or more, or calibrate on more captions"
        ) from error
    return WordLimit(fpir, found.score, found.fpir_low, found.fpir_high, language, len(trials), items)
