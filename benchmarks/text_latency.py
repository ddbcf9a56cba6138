"""How long a query in words takes: from the text to ten hits of a large gallery, on one core, after warm-up.

    OMP_NUM_THREADS=1 python benchmarks/text_latency.py [--items 100000] [--dim 512] [--queries 200]

A new encoder for each text tower (its time does not depend on what it learned) and random vectors. Queries are captions
of 2 to 14 words, English and Russian, each asked once. Times are of the wall, with the share that is the text's
embedding.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from nearkin.arrays import unit
from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.texts import TEXT_TOWERS, TowerOptions
from nearkin.gallery.gallery import Gallery

TOWERS = ("gru", "gru-e5", "e5")
ENGLISH = "a black dog runs through the snow after red ball near two children on bicycle by lake"
RUSSIAN = "чёрная собака бежит по снегу за красным мячом рядом двое детей на велосипеде у озера"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    vectors = unit(generator.standard_normal((arguments.items, arguments.dim), dtype=np.float32))
    print(f"{arguments.items:,} vectors of {arguments.dim} numbers, {os.environ.get('OMP_NUM_THREADS', 'all')} threads")
    print(f"{'text tower':12}{'median ms':>12}{'95 % below':>12}{'of it the text':>16}")
    for name in TOWERS:
        # New ones for each: e5 remembers what it has read.
        queries = [sentence(generator, words) for _ in range(arguments.queries // 2) for words in (ENGLISH, RUSSIAN)]
        text, tokenizer = TEXT_TOWERS[name].make(queries, TowerOptions(arguments.dim))
        tower = ImageTower(ImageTowerConfig("conv4", dim=arguments.dim, height=32, width=32))
        encoder = Encoder(tower, Preprocessing(height=32, width=32), text, tokenizer).eval()
        with tempfile.TemporaryDirectory() as folder:
            gallery = Gallery.create(Path(folder, "gallery"), encoder)
            gallery.add_vectors([f"/pictures/{number}.jpg" for number in range(arguments.items)], vectors)
            for number in range(5):
                gallery.search(f"warm-up {number}", k=10)
            whole, of_text = [], []
            for query in queries:
                started = time.perf_counter()
                gallery.search(query, k=10)
                whole.append(time.perf_counter() - started)
                # Another text of the same length: a text that was asked before is remembered.
                started = time.perf_counter()
                encoder.embed_texts(" ".join(reversed(query.split())))
                of_text.append(time.perf_counter() - started)
        median, most = np.quantile(whole, [0.5, 0.95])
        print(f"{name:12}{1e3 * median:12.1f}{1e3 * most:12.1f}{1e3 * np.median(of_text):16.1f}", flush=True)


def sentence(generator: np.random.Generator, words: str) -> str:
    """A few words in an order of chance."""
    return " ".join(generator.permutation(words.split())[: generator.integers(2, 15)])


if __name__ == "__main__":
    main()
