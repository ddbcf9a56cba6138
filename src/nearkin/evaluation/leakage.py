"""Checks before numbers: what makes figures flatter, or wrong, whatever the encoder.

Pictures that it was trained on, near copies of them, classes that it was trained on, one picture under two labels,
classes that cannot be found because they have one picture.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8, UInt64

from nearkin.arrays import unit
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.encoders.training_hashes import BITS, TrainingHashes, hash_names, hash_pixels, look_bits
from nearkin.similarity import top_k
from nearkin.wording import counted

# Thumbnails that correlate so are one picture: recompressed, resized, or cropped by a pixel or two. On real sets no two
# photos of different things came near it; drawings of one series, such as emoji, may.
NEAR = 0.985
# Signs of random projections that may differ: half of all pairs with that correlation differ in fewer.
_NEAR_BITS = 28
# Smaller thumbnails than 16 x 16 are too alike to tell.
_LEAST_NUMBERS = 256

# Training pictures that are hashed: 7 MB.
MOST_HASHED = 100_000

# Labels and pairs that are named; counts tell of all.
_NAMED = 5


@dataclass(frozen=True)
class Copy:
    """Two pictures, by row, that are one, or nearly, and the correlation of their pixels."""

    row: int
    other: int
    correlation: float


@dataclass(frozen=True)
class Checks:
    """What was found.

    Args:
        pictures, classes: looked at.
        known_training: whether the encoder carries hashes of its training data; else nothing is known of leaks.
        seen_classes: names of classes that were trained on.
        seen_pictures: rows of pictures that were trained on.
        near_seen: rows of pictures that are nearly one that was trained on.
        lone_classes: names of classes with one picture.
        copies: pictures that are copies of each other, exact or nearly, the most alike first.
        two_labels: those of them that have two labels.
    """

    pictures: int
    classes: int
    known_training: bool
    seen_classes: tuple[str, ...]
    seen_pictures: tuple[int, ...]
    near_seen: tuple[int, ...]
    lone_classes: tuple[str, ...]
    copies: tuple[Copy, ...]
    two_labels: tuple[Copy, ...]

    def notes(self, names: Sequence[str]) -> list[str]:
        """What a reader must know, in sentences; nothing of what is in order.

        Args:
            names: of the pictures, by row.
        """
        notes = []
        if not self.known_training:
            notes.append(
                "The model does not say what it was trained on: whether it has seen these pictures is unknown."
            )
        if self.seen_classes:
            notes.append(
                f"Trained on: {len(self.seen_classes):,} of {self.classes:,} classes ({_some(self.seen_classes)}). "
                "Figures on them say little about new ones."
            )
        if self.seen_pictures:
            notes.append(f"Trained on: {len(self.seen_pictures):,} of {self.pictures:,} pictures themselves.")
        if self.near_seen:
            named = _some([names[row] for row in self.near_seen])
            notes.append(f"Nearly copies of training pictures: {counted(len(self.near_seen), 'picture')} ({named}).")
        if self.copies:
            pictures = len({row for pair in self.copies for row in (pair.row, pair.other)})
            notes.append(
                f"Pictures with a copy, or nearly one, among the others: {pictures:,} ({_pairs(self.copies, names)})."
            )
        if self.two_labels:
            named = _pairs(self.two_labels, names)
            pairs = counted(len(self.two_labels), "pair")
            notes.append(f"One picture under two labels: {pairs} ({named}); a label may be wrong.")
        if any(len(some) > _NAMED for some in (self.seen_classes, self.near_seen, self.copies, self.two_labels)):
            notes.append('All of them are listed under "leakage" in --json, and in the report.')
        return notes

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """The findings as JSON has them, all of them by name.

        Args:
            names: of the pictures, by row.
        """
        return {
            "known_training": self.known_training,
            "seen_classes": list(self.seen_classes),
            "seen_pictures": [names[row] for row in self.seen_pictures],
            "near_seen": [names[row] for row in self.near_seen],
            "lone_classes": list(self.lone_classes),
            "copies": [_named(pair, names) for pair in self.copies],
            "two_labels": [_named(pair, names) for pair in self.two_labels],
        }


def check_data(
    labels: Sequence[str | None],
    hashes: UInt64[np.ndarray, " n"],
    thumbnails: Float[np.ndarray, "n raw"],
    *,
    training_hashes: TrainingHashes | None = None,
) -> Checks:
    """Look for leaks from training and for faults of labels.

    Args:
        labels: class names; None for none.
        hashes: `hash_pixels` of the pictures.
        thumbnails: `raw_pixels` of the pictures.
        training_hashes: of what the encoder was trained on, if it is known.

    Example:
        >>> grey = np.arange(3 * 32 * 32, dtype=np.uint8).reshape(3, 32, 32, 1)
        >>> grey[2] = grey[0] = np.random.default_rng(0).integers(256, size=(32, 32, 1))
        >>> checks = check_data(["a", "a", "b"], hash_pixels(grey), raw_pixels(grey))
        >>> checks.two_labels, checks.lone_classes
        ((Copy(row=0, other=2, correlation=1.0),), ('b',))
    """
    names, counts = np.unique([label for label in labels if label is not None], return_counts=True)
    thumbnails = unit(thumbnails)
    copies = _copies(thumbnails)
    seen, near = seen_in_training(hashes, thumbnails, training_hashes)
    known = (
        training_hashes.knows_classes(names.tolist())
        if training_hashes is not None
        else np.zeros(len(names), dtype=bool)
    )
    return Checks(
        pictures=len(labels),
        classes=len(names),
        known_training=training_hashes is not None,
        seen_classes=tuple(names[known].tolist()),
        seen_pictures=tuple(np.flatnonzero(seen).tolist()),
        near_seen=tuple(np.flatnonzero(near).tolist()),
        lone_classes=tuple(names[counts == 1].tolist()),
        copies=copies,
        two_labels=tuple(
            pair
            for pair in copies
            if None not in (labels[pair.row], labels[pair.other]) and labels[pair.row] != labels[pair.other]
        ),
    )


def hash_training(
    pixels: Iterable[np.ndarray],
    labels: Sequence[str | None],
    *,
    total: int,
    limit: int = MOST_HASHED,
) -> TrainingHashes:
    """What to remember of training pictures.

    Args:
        pixels: batches `[n, height, width, channels]` of those that are remembered: all, or `sampled_rows`.
        labels: class names of all that is trained on.
        total: pictures that are trained on.
        limit: most pictures to remember.

    Example:
        >>> training_hashes = hash_training([np.zeros((2, 32, 32, 3), np.uint8)], ["cat", "cat"], total=2)
        >>> len(training_hashes.pictures), training_hashes.looks.shape
        (2, (2, 64))
    """
    names = sorted({label for label in labels if label is not None})
    hashes, looks, left = [hash_pixels(np.zeros((0, 1, 1, 1), np.uint8))], [np.zeros((0, BITS // 8), np.uint8)], limit
    for batch in pixels:
        hashes.append(hash_pixels(batch[:left]))
        looks.append(look_bits(unit(raw_pixels(batch[:left]))))
        left -= len(hashes[-1])
        if left <= 0:
            break
    return TrainingHashes(hash_names(names), np.concatenate(hashes), np.concatenate(looks), total)


def sampled_rows(total: int, *, limit: int = MOST_HASHED, seed: int = 0) -> Int[np.ndarray, " rows"]:
    """All rows, or as many as are hashed, drawn by chance, rising."""
    if total <= limit:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, size=limit, replace=False))


def _copies(thumbnails: Float[np.ndarray, "n raw"]) -> tuple[Copy, ...]:
    """Which pictures are copies of each other: each with its two nearest, the most alike first."""
    rows = np.flatnonzero(_comparable(thumbnails))
    if len(rows) < 2:
        return ()
    some = thumbnails[rows]
    scores, nearest = top_k(some, some, min(3, len(rows) - 1), exclude=np.arange(len(rows)))
    pairs: dict[tuple[int, int], float] = {}
    for position, neighbour in zip(*np.nonzero(scores >= NEAR), strict=True):
        one, two = int(rows[position]), int(rows[nearest[position, neighbour]])
        pairs[min(one, two), max(one, two)] = round(min(1.0, float(scores[position, neighbour])), 4)
    copies = (Copy(*pair, correlation) for pair, correlation in pairs.items())
    return tuple(sorted(copies, key=lambda copy: (-copy.correlation, copy.row, copy.other)))


def _pairs(copies: Sequence[Copy], names: Sequence[str]) -> str:
    """The first few pairs by name."""
    return _some([f"{names[pair.row]} and {names[pair.other]}" for pair in copies])


def _named(pair: Copy, names: Sequence[str]) -> dict[str, Any]:
    return {"pictures": [names[pair.row], names[pair.other]], "correlation": pair.correlation}


def seen_in_training(
    hashes: UInt64[np.ndarray, " n"], thumbnails: Float[np.ndarray, "n raw"], training_hashes: TrainingHashes | None
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Which pictures were trained on, and which others are nearly one of those.

    Args:
        hashes: `hash_pixels` of the pictures.
        thumbnails: `raw_pixels` of the pictures, of unit length.
        training_hashes: of the training pictures, if they are known.
    """
    seen = near = np.zeros(len(hashes), dtype=bool)
    if training_hashes is None or not len(training_hashes.pictures):
        return seen, near
    seen = np.isin(hashes, training_hashes.pictures)
    own, known = _signs(look_bits(thumbnails)), _signs(training_hashes.looks)
    # Of two rows of signs, the product counts agreements less differences.
    agreement = top_k(own, known, 1)[0][:, 0]
    near = ((BITS - agreement) / 2 <= _NEAR_BITS) & ~seen & _comparable(thumbnails)
    return seen, near


def _comparable(thumbnails: Float[np.ndarray, "n raw"]) -> Bool[np.ndarray, " n"]:
    """Not of one plain colour, for all such would be alike; and large enough."""
    return (thumbnails != 0).any(axis=1) & (thumbnails.shape[1] >= _LEAST_NUMBERS)


def _signs(packed: UInt8[np.ndarray, "n bytes"]) -> Float[np.ndarray, "n bits"]:
    return 2 * np.unpackbits(packed, axis=1).astype(np.float32) - 1


def _some(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
