"""What galleries and evaluations ask of an encoder: the seam through which tests, or other models, come in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from nearkin.data.images import Preprocessing
from nearkin.encoders.calibration import Calibration
from nearkin.encoders.encoder import PictureLike
from nearkin.encoders.sketch import TrainingSketch


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

    def embed_images(self, pictures: Sequence[PictureLike]) -> Float[np.ndarray, "n dim"]: ...

    def embed_texts(self, texts: Sequence[str]) -> Float[np.ndarray, "n dim"]: ...

    def save_pretrained(self, folder: Path) -> Any: ...


@runtime_checkable
class Calibrated(Embedder, Protocol):
    """An encoder that carries what its scores mean and what it was trained on, if either is known."""

    calibration: Calibration | None
    sketch: TrainingSketch | None
