"""What galleries and evaluations ask of an encoder: the seam through which tests, or other models, come in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from nearkin.calibration.decisions import Calibration
from nearkin.calibration.words import WordCalibration
from nearkin.data.images import Preprocessing
from nearkin.data.items import Picture
from nearkin.encoders.training_hashes import TrainingHashes


@runtime_checkable
class Pixels(Protocol):
    """An array of numpy, a tensor of torch."""

    @property
    def ndim(self) -> int: ...

    def __array__(self) -> np.ndarray: ...


# What can be given as one picture: a path, an opened picture, or pixels. Named here too, where no torch is loaded.
PictureLike = str | Path | Picture | Image.Image | Pixels


@runtime_checkable
class Embedder(Protocol):
    """An encoder as its users see it; `nearkin.Encoder` has it all."""

    @property
    def dim(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def has_text(self) -> bool: ...

    @property
    def preprocessing(self) -> Preprocessing: ...

    def embed_pixels(self, pixels: UInt8[np.ndarray, "n height width channels"]) -> Float[np.ndarray, "n dim"]: ...

    def embed_images(self, pictures: Sequence[Any]) -> Float[np.ndarray, "n dim"]: ...

    def embed_texts(self, texts: Sequence[str]) -> Float[np.ndarray, "n dim"]: ...

    def save_pretrained(self, folder: Path) -> Any: ...


@runtime_checkable
class AttributeEmbedder(Embedder, Protocol):
    """An encoder that may also have a tower for attributes of classes: `attributes` is empty if it has none."""

    @property
    def attributes(self) -> Sequence[str]: ...

    @property
    def attribute_columns(self) -> Sequence[str]: ...

    def embed_attributes(self, rows: Any, *, unknown_words: bool = False) -> Float[np.ndarray, "n dim"]: ...


@runtime_checkable
class Calibrated(Embedder, Protocol):
    """An encoder that carries what its scores mean and what it was trained on, if either is known."""

    calibration: Calibration | None
    word_calibration: WordCalibration | None
    training_hashes: TrainingHashes | None
