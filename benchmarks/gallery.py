"""A large gallery: adding, opening, and what `Gallery.search` costs above its bare index.

    python benchmarks/gallery.py [--items 1000000] [--dim 128]

Vectors are random, the encoder is a stand-in, metadata a class and a price. Times are of the wall, medians where there
are several; the gallery and its bare index are timed in turns.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from faults import Numbers

from nearkin.arrays import unit
from nearkin.data.items import Items, Picture
from nearkin.gallery.gallery import Gallery


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    vectors = unit(generator.standard_normal((options.items, options.dim), dtype=np.float32))
    queries = unit(generator.standard_normal((256, options.dim), dtype=np.float32))
    pictures = [Picture(f"/pictures/{number:07d}.jpg") for number in range(options.items)]
    labels = [f"class {number % 1000}" for number in range(options.items)]
    items = Items.build(pictures, labels=labels, metadata={"price": [number / 7 for number in range(options.items)]})
    encoder = Numbers()
    encoder.dim = options.dim
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "gallery")
        gallery = Gallery.create(path, encoder)
        report("add", lambda: gallery.add_vectors(items, vectors))
        report("first query, nothing derived yet", lambda: gallery.search(queries[0], 10)[0].uri)
        report("open and first query, files derived", lambda: Gallery.open(path).search(queries[0], 10)[0].uri)
        gallery = Gallery.open(path)
        gallery.search(queries[0], 10)
        index = gallery._newest().index
        for name, whole, bare, times in (
            ("one query", lambda: gallery.search(queries[0], 10), lambda: index.search(queries[:1], 10), 50),
            ("256 queries", lambda: gallery.search_many(queries, 10), lambda: index.search(queries, 10), 11),
        ):
            both = np.array([[milliseconds(whole), milliseconds(bare)] for _ in range(times)])
            above = median((both[:, 0] - both[:, 1]).tolist())
            print(
                f"{name}: {median(both[:, 0]):.2f} ms, bare index {median(both[:, 1]):.2f} ms, above it {above:.2f} ms"
            )
        report("the first query with a filter", lambda: gallery.search(queries[0], 10, where="price < 100"))
        report("the next", lambda: gallery.search(queries[0], 10, where="price < 100"))
        report("add one item", lambda: gallery.add_vectors(["/one more.jpg"], queries[:1]))
        report("the query after it", lambda: gallery.search(queries[0], 1)[0].uri)


def milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started)


def report(name: str, work: Callable[[], object]) -> None:
    print(f"{name}: {milliseconds(work):.1f} ms", flush=True)


if __name__ == "__main__":
    main()
