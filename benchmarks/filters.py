"""Filters: the recall that an approximate index keeps when only some of the vectors are allowed, and what that costs.

    python benchmarks/filters.py [--size 100k] [--data mixture] [--kinds lsh,hnsw,ivf]

Every index is built for a recall of 0.99. A filter allows a random share of the vectors, or those of some clusters only
("together": what a query looks for is mostly not allowed). Processor time in batches of 256, beside an exact search
under the same filter.
"""

import argparse
import time

import numpy as np
from search import load_data

from nearkin.gallery.index import Index, build, measure_recall

SHARES = (1.0, 0.9, 0.5, 0.1, 0.01, 0.001)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="100k")
    parser.add_argument("--data", default="mixture", help="mixture, manifold, or a file .npy")
    parser.add_argument("--kinds", default="lsh,hnsw,ivf")
    options = parser.parse_args()
    vectors, queries = load_data(options.data, int(options.size.replace("k", "000").replace("M", "000000")))
    random = np.random.default_rng(0).random(len(vectors))
    # Alike vectors have alike ranks along one direction.
    together = np.argsort(np.argsort(vectors @ vectors[0])) / len(vectors)
    exact = build(vectors, "exact")
    print("| index | allowed | which | recall@10 | a query | exact |\n|---|---|---|---|---|---|")
    for kind in options.kinds.split(","):
        index = build(vectors, kind, recall=0.99)
        for share in SHARES:
            for which, rank in (("random", random), ("together", together)):
                allowed = None if share == 1 else rank < share
                recall = measure_recall(index, queries, allowed=allowed)
                own, whole = (microseconds(one, queries, allowed) for one in (index, exact))
                said = f"{recall.value:.4f} [{recall.low:.4f}, {recall.high:.4f}]"
                print(f"| {kind} | {share:.1%} | {which} | {said} | {own:.0f} µs | {whole:.0f} µs |", flush=True)
                if share == 1:
                    break


def microseconds(index: Index, queries: np.ndarray, allowed: np.ndarray | None) -> float:
    """Of the processor a query; the least of three."""

    def once() -> float:
        started = time.process_time()
        index.search(queries[:256], 10, allowed)
        return (time.process_time() - started) / 256 * 1e6

    return min(once() for _ in range(3))


if __name__ == "__main__":
    main()
