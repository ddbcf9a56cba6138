"""Memory of `nearkin embed` on many pictures: it must not grow with their number, but for names and metadata.

    python benchmarks/embed_memory.py [--pictures 1000000] [--dim 128]

The pictures are links to a few small PNG files and the network is one random projection, so what is measured is all
but the network: finding the files, decoding, and writing Parquet in chunks. Prints the peak of the process as it goes.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from nearkin.data.images import Preprocessing
from nearkin.tasks.embed import embed

# File systems allow some 65,000 links to one file.
LINKS = 10_000
SIDE = 8


class RandomProjection:
    """An encoder that costs next to nothing."""

    preprocessing = Preprocessing(height=SIDE, width=SIDE)
    fingerprint, has_text = "random-projection", False

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._weights = np.random.default_rng(0).standard_normal((SIDE * SIDE * 3, dim), dtype=np.float32)

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        vectors = pixels.reshape(len(pixels), -1).astype(np.float32) @ self._weights
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder, "pictures"), options.pictures)
        print(f"before: {peak():,} MiB")
        started, told = time.perf_counter(), 0

        def progress(done: int, total: int) -> None:
            nonlocal told
            if done - told >= total / 10:
                told = done
                print(f"{done:,} pictures, {time.perf_counter() - started:.0f} s: peak {peak():,} MiB", flush=True)

        encoder = RandomProjection(options.dim)
        summary = embed(encoder, Path(folder, "pictures"), Path(folder, "vectors.parquet"), progress=progress)
        print(f"{summary.embedded:,} vectors, {time.perf_counter() - started:.0f} s: peak {peak():,} MiB")


def draw(folder: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    for start in range(0, count, LINKS):
        part = folder / f"part {start // LINKS:04}"
        part.mkdir(parents=True)
        first = part / f"picture number {start:09}.png"
        Image.fromarray(generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(first)
        for number in range(start + 1, min(start + LINKS, count)):
            os.link(first, part / f"picture number {number:09}.png")


def peak() -> int:
    """Of this process, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


if __name__ == "__main__":
    main()
