"""Stand-ins for expensive parts."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from nearkin.arrays import unit
from nearkin.data.decoding import decode
from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import PictureLike
from nearkin.errors import InvalidInput

COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "красный": (255, 0, 0)}


class FakeEncoder:
    """An encoder without a network: mean colours of a 4 x 4 grid, turned at random; words are pictures of a colour.

    Args:
        dim: numbers of a vector.
        name: what another fingerprint comes from, and other vectors.
        has_text: whether words can be embedded.
    """

    preprocessing = Preprocessing(height=8, width=8)

    def __init__(self, dim: int = 16, *, name: str = "fake", has_text: bool = True) -> None:
        self.dim = dim
        self.fingerprint = f"{name}-{dim}"
        self.has_text = has_text
        # How many pictures went through `embed_pixels`.
        self.embedded = 0
        generator = np.random.default_rng(list(name.encode()))
        self._projection = generator.standard_normal((4 * 4 * 3, dim)).astype(np.float32)

    def embed_pixels(self, pixels: UInt8[np.ndarray, "n height width channels"]) -> Float[np.ndarray, "n dim"]:
        self.embedded += len(pixels)
        cells = pixels.reshape(len(pixels), 4, 2, 4, 2, 3).mean((2, 4), dtype=np.float32).reshape(len(pixels), -1)
        # Row by row, since a matrix product may round a row differently in another batch.
        return unit(np.stack([(cell / 255 - 0.4) @ self._projection for cell in cells]))

    def embed_images(self, pictures: Sequence[PictureLike]) -> Float[np.ndarray, "n dim"]:
        return self.embed_pixels(np.stack([self.preprocessing.apply(decode(picture)) for picture in pictures]))

    def embed_texts(self, texts: Sequence[str]) -> Float[np.ndarray, "n dim"]:
        if not self.has_text:
            raise InvalidInput(f"encoder {self.fingerprint} embeds pictures only")
        colours = [next(colour for word, colour in COLOURS.items() if word in text.lower()) for text in texts]
        return self.embed_pixels(np.array(colours, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2))

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "fake.json").write_text(json.dumps({"fingerprint": self.fingerprint}))


def draw_noise(folder: Path, numbers: Sequence[int]) -> list[Path]:
    """Small pictures `0.png`, ... whose content follows from their number."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.png" for number in numbers]
    for number, path in zip(numbers, paths, strict=True):
        noise = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return paths
