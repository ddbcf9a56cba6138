"""What a model was trained on, as hashes: enough to tell whether something was among it, too little to show it.

Evaluation on what a model has seen flatters it. To notice that, the artefact keeps of each training class a hash of its
name, and of each training picture (of a sample, if there are very many) a hash of its pixels and 512 signs of random
projections of a 16 x 16 thumbnail. No name, path or picture can be read from them; whoever has a name or a picture can
ask whether it was there. Delete `training.safetensors` where even that is too much: the checks then say that they could
not be made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8, UInt64
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from nearkin.errors import ArtefactError
from nearkin.files import write_whole

BITS = 512


@dataclass(frozen=True, eq=False)
class TrainingHashes:
    """Hashes of training classes and training pictures.

    Args:
        classes: hashed names.
        pictures: hashed pixels.
        looks: `look_bits` of the same pictures, packed.
        total: pictures that were trained on; more than are here if these are a sample.

    Example:
        >>> hashes = TrainingHashes(hash_names(["cat", "dog"]), hash_names([]), np.zeros((0, 64), np.uint8), total=0)
        >>> hashes.knows_classes(["cat", "cow"]).tolist()
        [True, False]
    """

    classes: UInt64[np.ndarray, " classes"]
    pictures: UInt64[np.ndarray, " n"]
    looks: UInt8[np.ndarray, "n bytes"]
    total: int

    def knows_classes(self, names: Sequence[str]) -> Bool[np.ndarray, " names"]:
        """Which of these classes were trained on."""
        return np.isin(hash_names(names), self.classes)

    def write(self, path: Path) -> None:
        """Write it as safetensors."""
        # Packed into bytes, which every reader of safetensors knows.
        arrays = {name: getattr(self, name).view(np.uint8) for name in ("classes", "pictures", "looks")}
        write_whole(path, save(arrays, metadata={"total": str(self.total)}))

    @staticmethod
    def read(path: Path) -> "TrainingHashes":
        """The inverse of `write`.

        Raises:
            ArtefactError: the file is damaged.
        """
        from safetensors import safe_open

        try:
            arrays = load_file(path)
            with safe_open(path, framework="numpy") as file:
                total = int(file.metadata()["total"])
            return TrainingHashes(
                arrays["classes"].view(np.uint64), arrays["pictures"].view(np.uint64), arrays["looks"], total
            )
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise ArtefactError(f"'{path}' is damaged ({error}): delete it, only checks of leaks need it") from error


def hash_names(names: Iterable[str]) -> UInt64[np.ndarray, " n"]:
    """8 bytes for each name."""
    return _hashes(name.encode() for name in names)


def hash_pixels(pixels: UInt8[np.ndarray, "n height width channels"]) -> UInt64[np.ndarray, " n"]:
    """8 bytes for each picture's decoded pixels: a lossless copy has the same."""
    return _hashes(np.ascontiguousarray(picture).tobytes() for picture in pixels)


def look_bits(thumbnails: Float[np.ndarray, "n raw"]) -> UInt8[np.ndarray, "n bytes"]:
    """512 signs of random projections of each thumbnail, packed; they differ in angle / pi of the places."""
    planes = np.random.default_rng(thumbnails.shape[1]).standard_normal((thumbnails.shape[1], BITS), dtype=np.float32)
    return np.packbits(thumbnails @ planes > 0, axis=1)


def _hashes(contents: Iterable[bytes]) -> UInt64[np.ndarray, " n"]:
    digests = b"".join(blake2b(content, digest_size=8).digest() for content in contents)
    return np.frombuffer(digests, dtype=np.uint64)
