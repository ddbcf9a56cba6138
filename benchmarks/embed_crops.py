"""Vectors of real pictures in numbers: random crops of the pictures of some folders, embedded by a model.

    python benchmarks/embed_crops.py runs/caltech101/model pictures/a pictures/b --crops 5 --out crops.npy

The crops cover 20 to 100 % of a picture. The vectors are shuffled, so that any of them may serve as queries.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from nearkin import Encoder
from nearkin.data.decoding import EXTENSIONS

# Pictures of a batch.
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--crops", type=int, default=5)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    encoder = Encoder.from_pretrained(options.model)
    paths = sorted(path for folder in options.folders for path in Path(folder).rglob("*") if path.suffix in EXTENSIONS)
    torch.manual_seed(0)
    size = (encoder.preprocessing.height, encoder.preprocessing.width)
    crop = v2.RandomResizedCrop(size, scale=(0.2, 1.0), antialias=True)
    vectors = np.empty((len(paths) * options.crops, encoder.dim), dtype=np.float32)
    for start in range(0, len(paths), BATCH):
        pictures = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
        crops = [crop(picture) for picture in pictures for _ in range(options.crops)]
        first = start * options.crops
        vectors[first : first + len(crops)] = encoder.embed_images(crops)
        print(f"\r{first + len(crops):,} of {len(vectors):,}", end="", flush=True)
    np.save(options.out, vectors[np.random.default_rng(0).permutation(len(vectors))])
    print()


if __name__ == "__main__":
    main()
