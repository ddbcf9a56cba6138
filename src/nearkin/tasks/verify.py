"""Verify many pairs of pictures, in a stream: memory does not grow with their number."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from nearkin.calibration.decisions import Calibration, Verdict
from nearkin.data.decoding import decode
from nearkin.data.images import stream_pixels
from nearkin.data.items import Picture
from nearkin.data.pairs import Pair, Pairs
from nearkin.encoders.embedder import Embedder
from nearkin.errors import PictureError
from nearkin.progress import Progress
from nearkin.similarity import exact_scores

# Pairs embedded at a time, and bytes of vectors kept for pictures that occur again.
CHUNK, KEPT = 512, 256 << 20


def equal_pictures(a: str | Path, b: str | Path) -> bool:
    """Whether two files hold one picture, equal in every pixel; whatever their names and formats.

    Raises:
        PictureError: one cannot be decoded.
    """
    return bool(np.array_equal(np.asarray(decode(a)), np.asarray(decode(b))))


@dataclass(frozen=True)
class VerifiedPair:
    """A pair of the file, and the verdict on it."""

    pair: Pair
    verdict: Verdict


@dataclass
class Tally:
    """Counts over many pairs; where the file says which are the same, right and wrong ones too.

    Args:
        decisions: pairs by decision.
        true: pairs by (whether they are the same, decision), as far as the file says.
    """

    decisions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("same", "different", "not sure"), 0))
    true: dict[tuple[bool, str], int] = field(default_factory=dict)
    accepted: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def add(self, verified: VerifiedPair) -> None:
        """Count a pair."""
        verdict, same = verified.verdict, verified.pair.same
        self.decisions[verdict.decision] += 1
        if same is not None:
            self.true[same, verdict.decision] = self.true.get((same, verdict.decision), 0) + 1
            self.accepted[same] += verdict.score >= verdict.threshold.score

    @property
    def known(self) -> dict[bool, int]:
        """Pairs that the file says are the same, and are not."""
        return {same: sum(count for (known, _), count in self.true.items() if known == same) for same in (True, False)}

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON has them; with what was accepted of the different and the same, where it is known."""
        known = self.known
        rates = {
            name: self.accepted[same] / known[same] for name, same in (("far", False), ("tar", True)) if known[same]
        }
        return {"pairs": sum(self.decisions.values()), **self.decisions, **rates}


def verify_pairs(
    encoder: Embedder,
    calibration: Calibration,
    pairs: Pairs,
    *,
    far: float | None = None,
    prior: float | None = None,
    progress: Progress | None = None,
) -> Iterator[VerifiedPair]:
    """A verdict for each pair of a file, in its order.

    A picture that occurs again is not embedded again while its vector is among the 256 MiB that are kept.

    Args:
        encoder: what embeds.
        calibration: of this encoder.
        pairs: the file.
        far, prior: as `Encoder.verify` takes them.
        progress: called with the number of pairs done, and of all.

    Raises:
        SourceError: the file cannot be read or is at fault, or a picture is missing: before anything is embedded.
        PictureError: a picture cannot be decoded; its row is named.
        EncoderMismatch: the calibration is of another encoder.
        InvalidInput: `far` lower than the calibration supports, or `far` or `prior` out of range.
    """
    calibration.check(encoder.fingerprint)
    calibration.threshold(far)
    total, done = pairs.check(), 0
    vectors = _Vectors(encoder, pairs)
    stream = iter(pairs)
    while chunk := tuple(islice(stream, CHUNK)):
        found = vectors.of(chunk)
        scores = [
            float(exact_scores(found[pair.pictures[0].uri], found[pair.pictures[1].uri][None])[0]) for pair in chunk
        ]
        for pair, verdict in zip(chunk, calibration.verdicts(scores, far=far, prior=prior), strict=True):
            yield VerifiedPair(pair, verdict)
        done += len(chunk)
        if progress:
            progress(done, total)


class _Vectors:
    """Embeddings of pictures; the most recently used are kept."""

    def __init__(self, encoder: Embedder, pairs: Pairs) -> None:
        self.encoder, self.pairs = encoder, pairs
        self.kept: OrderedDict[str, np.ndarray] = OrderedDict()
        self.most = max(2 * CHUNK, KEPT // (4 * encoder.dim))

    def of(self, chunk: tuple[Pair, ...]) -> dict[str, np.ndarray]:
        """The vectors of all pictures of some pairs, by their address."""
        named = {picture.uri: picture for pair in chunk for picture in pair.pictures}
        self._embed([picture for uri, picture in named.items() if uri not in self.kept], chunk)
        for uri in named:
            self.kept.move_to_end(uri)
        while len(self.kept) > self.most:
            self.kept.popitem(last=False)
        return {uri: self.kept[uri] for uri in named}

    def _embed(self, missing: list[Picture], chunk: tuple[Pair, ...]) -> None:
        for batch in stream_pixels(missing, self.encoder.preprocessing):
            for broken in batch.broken:
                row = next(pair.row for pair in chunk if broken.uri in (picture.uri for picture in pair.pictures))
                raise PictureError(f"{self.pairs.path}: row {row}: {broken}")
            if len(batch.rows):
                embedded = self.encoder.embed_pixels(batch.pixels)
                self.kept.update((missing[row].uri, vector) for row, vector in zip(batch.rows, embedded, strict=True))
