"""Does the recall that an index states hold? How often the recall of fresh queries lies within the stated interval.

    python benchmarks/recall_after_join.py                 # 200 trials: kinds x sizes x data x targets
    python benchmarks/recall_after_join.py --show          # the tables again
    python benchmarks/recall_after_join.py --vectors crops.npy --sizes 2000,20000

`build` tunes an index on held-out vectors, which join it afterwards. The actual recall is that of the finished index,
on queries that it has not seen: 20 times as many as the stated recall was measured on, at least
4,000. It has an error of its own, a quarter of the interval's, which lowers the share of intervals that hold by about
one in a hundred.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nearkin.arrays import unit
from nearkin.gallery.index import KINDS, ExactIndex, build, measure_recall

RESULTS = Path(__file__).parent / "recall_after_join.json"
DIM = 48


def equal_clusters(n: int, generator: np.random.Generator) -> np.ndarray:
    centers = generator.standard_normal((max(10, n // 100), DIM), dtype=np.float32)
    return centers[generator.integers(len(centers), size=n)] + np.float32(0.7) * noise(n, generator)


def unequal_clusters(n: int, generator: np.random.Generator) -> np.ndarray:
    """The largest cluster holds a tenth of the vectors, the smallest a handful; their spreads differ."""
    count = max(10, n // 60)
    share = 1 / np.arange(1, count + 1)
    cluster = generator.choice(count, n, p=share / share.sum())
    centers, spread = (
        generator.standard_normal((count, DIM), dtype=np.float32),
        generator.uniform(0.1, 1.2, (count, 1)).astype(np.float32),
    )
    return centers[cluster] + spread[cluster] * noise(n, generator)


def manifold(n: int, generator: np.random.Generator) -> np.ndarray:
    waves, phase = generator.standard_normal((16, DIM), dtype=np.float32), generator.uniform(0, 2 * np.pi, DIM)
    return np.sin(generator.standard_normal((n, 16), dtype=np.float32) / 2 @ waves + phase.astype(np.float32))


def noise(n: int, generator: np.random.Generator) -> np.ndarray:
    return generator.standard_normal((n, DIM), dtype=np.float32)


DATA: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "equal clusters": equal_clusters,
    "unequal clusters": unequal_clusters,
    "manifold": manifold,
    "no structure": noise,
}


def drawn(data: str, vectors: np.ndarray | None, n: int, fresh: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and fresh queries of one distribution."""
    generator = np.random.default_rng([seed, n])
    if vectors is None:
        both = DATA[data](n + fresh, generator)
    else:
        both = vectors[generator.permutation(len(vectors))[: n + fresh]]
    both = unit(both)
    return both[:n], both[n:]


def trials(kinds: list[str], sizes: list[int], data: list[str], vectors: np.ndarray | None) -> Iterator[dict[str, Any]]:
    for seed, asked_for in enumerate((0.95, 0.99)):
        for n in sizes:
            for name in data:
                inside, queries = drawn(name, vectors, n, max(4000, 20 * min(1000, n // 20)), seed)
                for kind in kinds:
                    index = build(inside, kind, recall=asked_for, seed=seed)
                    assert index.recall is not None
                    actual = measure_recall(index, queries).value
                    stated = index.recall
                    yield {
                        "kind": kind, "n": n, "data": name, "asked_for": asked_for, "setting": index.setting,
                        "stated": stated.value, "low": stated.low, "high": stated.high, "queries": stated.n,
                        "actual": actual, "fresh": len(queries), "bytes": index.bytes_per_vector,
                    }  # fmt: skip


def show(results: list[dict[str, Any]]) -> None:
    """Share of intervals that hold, their mean width, and by how much the recall is overstated."""
    for what in ("kind", "n", "data", "asked_for"):
        print(f"\n| {what} | trials | interval holds | mean width | mean overstatement | worst below the interval |")
        print("|---|---|---|---|---|---|")
        for value in sorted({row[what] for row in results}, key=str if what in ("kind", "data") else None):
            line(str(value), [row for row in results if row[what] == value])
        line("all", results)


def line(name: str, rows: list[dict[str, Any]]) -> None:
    low, high, actual, stated = (np.array([row[what] for row in rows]) for what in ("low", "high", "actual", "stated"))
    holds = (low - 1e-12 <= actual) & (actual <= high + 1e-12)
    below = max(0.0, float((low - actual).max()))
    print(
        f"| {name} | {len(rows)} | {100 * holds.mean():.1f} % | {(high - low).mean():.4f} "
        f"| {(stated - actual).mean():+.4f} | {below:.4f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    searched = [name for name in KINDS if not issubclass(KINDS[name], ExactIndex)]
    parser.add_argument("--kinds", default=",".join(searched))
    parser.add_argument("--sizes", default="300,720,2000,6000,20000")
    parser.add_argument("--vectors", metavar="NPY", help="real vectors to draw from, instead of the made ones")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if not options.show:
        vectors = np.load(options.vectors).astype(np.float32) if options.vectors else None
        data = [Path(options.vectors).stem] if options.vectors else list(DATA)
        results = []
        for result in trials(options.kinds.split(","), [int(n) for n in options.sizes.split(",")], data, vectors):
            results.append(result)
            print(json.dumps(result), flush=True)
        RESULTS.write_text("[\n" + ",\n".join(map(json.dumps, results)) + "\n]\n")
    show(json.loads(RESULTS.read_text()))


if __name__ == "__main__":
    main()
