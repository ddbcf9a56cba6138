"""Batches of one epoch: pixels from the cache, labels, and one caption of each picture."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from tokenizers import Tokenizer
from torch import Tensor

from nearkin.data.captions import encode_texts
from nearkin.data.items import Items
from nearkin.data.pixel_cache import PixelCache
from nearkin.encoders.texts import PaddedTokenizer
from nearkin.training.samplers import m_per_class_batches, shuffled_batches


@dataclass(frozen=True)
class Batch:
    """Pictures that go through the network together.

    Args:
        pixels: uint8, before augmentation; of no size where the network is frozen.
        labels: class ids, if a loss on labels is trained.
        tokens, lengths: captions, if captions are trained: the same number of each picture, one of each first.
        image_ids, text_ids: equal where two captions are of one picture, or the same text.
        attributes: of each picture's class, scaled, if attributes are trained.
        features: what a frozen network makes of each picture in each view.
    """

    pixels: UInt8[Tensor, "n height width channels"]
    labels: Int[Tensor, " n"] | None
    tokens: Int[Tensor, "captions tokens"] | None
    lengths: Int[Tensor, " captions"] | None
    attributes: Float[Tensor, "n k"] | None = None
    features: Float[Tensor, "views n features"] | None = None
    image_ids: Int[Tensor, " captions"] | None = None
    text_ids: Int[Tensor, " captions"] | None = None

    def to(self, device: torch.device, non_blocking: bool = False) -> "Batch":
        """The batch on a device; the lengths stay on the CPU, where packing wants them."""

        def move(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=non_blocking)

        return Batch(
            self.pixels.to(device, non_blocking=non_blocking),
            move(self.labels),
            move(self.tokens),
            self.lengths,
            move(self.attributes),
            move(self.features),
            move(self.image_ids),
            move(self.text_ids),
        )

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True)
class TrainingData:
    """The training or the validation pictures, decoded, with what the losses need of them.

    Args:
        items: the pictures that could be decoded.
        cache: their pixels; row i of the items is `cache_rows[i]` of the cache.
        cache_rows: positions in the cache's build order.
        label_ids: class ids 0, 1, ... of these items; None if labels are not trained.
        tokenizer: None if captions are not trained.
        groups: what a batch holds one of only, such as the picture's alphabet; None if batches are of any.
        turns: 4 if each class turned by a quarter, a half and three quarters is a class of its own, else 1. Row r of n
            turned by q quarters is row r + q n, class c of C turned so is class c + q C.
        attributes: of each class, scaled, in the order of the class ids; None if they are not trained.
        features: what a frozen network makes of these items in each view, such as the picture and its mirror image;
            None if the network is trained, or judged by pixels.
    """

    items: Items
    cache: PixelCache
    cache_rows: Int[np.ndarray, " n"]
    label_ids: Int[np.ndarray, " n"] | None
    tokenizer: Tokenizer | PaddedTokenizer | None
    groups: tuple[Any, ...] | None = None
    turns: Literal[1, 4] = 1
    attributes: Float[np.ndarray, "classes k"] | None = None
    features: Float[np.ndarray, "views n features"] | None = None

    def __len__(self) -> int:
        return self.turns * len(self.items)

    @cached_property
    def classes(self) -> int:
        """How many classes are trained, turned ones included."""
        return 0 if self.label_ids is None else self.turns * (int(self.label_ids.max()) + 1)

    @cached_property
    def labels(self) -> Int[np.ndarray, " rows"] | None:
        """The class of every row, turned ones included."""
        if self.label_ids is None:
            return None
        first = np.arange(self.turns)[:, None] * (self.classes // self.turns)
        return (first + self.label_ids).reshape(-1)

    def batch(self, rows: Int[np.ndarray, " batch"], captions: Sequence[str] | None = None) -> Batch:
        """The batch of these rows, with these captions: one for each, then another for each, and so on."""
        tokens = lengths = image_ids = text_ids = None
        if captions is not None:
            assert self.tokenizer is not None
            image_ids = torch.from_numpy(np.resize(rows, len(captions)).astype(np.int64))
            text_ids = torch.tensor([_id(text) for text in captions])
            tokens, lengths = (torch.from_numpy(array) for array in encode_texts(self.tokenizer, captions))
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows])
        quarters, upright = np.divmod(rows, len(self.items))
        features = None if self.features is None else torch.from_numpy(self.features[:, upright])
        if features is None:
            pixels = self.cache.batch(self.cache_rows[upright])
        else:
            pixels = np.zeros((len(rows), 0, 0, 3), np.uint8)
        for quarter in range(1, self.turns):
            pixels[quarters == quarter] = np.rot90(pixels[quarters == quarter], quarter, axes=(1, 2))
        attributes = None
        if self.attributes is not None and self.label_ids is not None:
            attributes = torch.from_numpy(self.attributes[self.label_ids[upright]])
        return Batch(torch.from_numpy(pixels), labels, tokens, lengths, attributes, features, image_ids, text_ids)


class Epoch:
    """The batches of one training epoch: the same for the same data, seed and epoch.

    Args:
        data: what to train on.
        batch_size, per_class: as in `TrainSettings`.
        seed: of this epoch.
        class_means: a vector for each class, if batches bring together classes that are near.
        captions: how many of each picture, different ones as far as it has them.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        batch_size: int,
        per_class: int,
        seed: int,
        class_means: Float[np.ndarray, "classes dim"] | None = None,
        captions: int = 1,
    ) -> None:
        self.data, self.captions = data, captions
        self.seed = seed
        if data.labels is None:
            self.rows = shuffled_batches(len(data), batch_size, seed=seed)
        else:
            groups = None if data.groups is None else data.turns * data.groups
            self.rows = m_per_class_batches(
                data.labels, batch_size, per_class, seed=seed, groups=groups, class_means=class_means
            )

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        random = np.random.default_rng([self.seed, 1])
        for rows in self.rows:
            captions = None
            if self.data.tokenizer is not None:
                choices = [self.data.items.captions[row] for row in rows]
                drawn = [np.resize(random.permutation(len(texts))[: self.captions], self.captions) for texts in choices]
                captions = [
                    texts[of[k]] for k in range(self.captions) for texts, of in zip(choices, drawn, strict=True)
                ]
            yield self.data.batch(rows, captions)


class InOrder:
    """All pictures once, in their order, without captions: for validation."""

    def __init__(self, data: TrainingData, *, batch_size: int) -> None:
        self.data = data
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.data), self.batch_size):
            yield self.data.batch(np.arange(start, min(start + self.batch_size, len(self.data))))


def _id(text: str) -> int:
    """Equal for equal texts, in every batch and run."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
