"""Search: nearkin's index kinds, raw and through `Gallery.search`, against other engines on the same vectors.

    python benchmarks/search.py --size 100k --data mixture --engines exact,faiss-flat     # measures, adds to the JSON
    python benchmarks/search.py --show                                                    # the table
    python benchmarks/search.py --plot docs/search.png

Each engine builds in a process of its own (time, memory), and its own effort parameter goes from low to high: from
recall@10 of 0.9 to 0.995, single queries and batches of 256 are timed. Time is the processor's, of all threads, so
that other work on the machine counts for little; `faiss-flat` is timed between the others' rounds, in the same process,
and ratios to it are the median over rounds. What is not installed is named and left out.

Data: `mixture` (clusters of 500, as of products in many views), `manifold` (a smooth surface of 16 dimensions without
clusters), or a file `.npy` of vectors, the last 512 of which are the queries.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from search_engines import ENGINES, OURS, K, faiss_flat, threads

QUERIES = 512
# Efforts are timed from the one recall to the other.
WORTH, ENOUGH = 0.9, 0.995
RESULTS = Path(__file__).parent / "search.json"


def mixture(n: int, dim: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    centers = generator.standard_normal((max(10, n // 500), dim), dtype=np.float32)
    noise = generator.standard_normal((n, dim), dtype=np.float32)
    return centers[generator.integers(len(centers), size=n)] + np.float32(0.7) * noise


def manifold(n: int, dim: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    waves, phase = generator.standard_normal((16, dim), dtype=np.float32), generator.uniform(0, 2 * np.pi, dim)
    return np.sin(generator.standard_normal((n, 16), dtype=np.float32) / 2 @ waves + phase.astype(np.float32))


def load_data(name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors and queries."""
    made = {"mixture": mixture, "manifold": manifold}
    vectors = made[name](size + QUERIES, 128) if name in made else np.load(name).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[:-QUERIES].copy(), vectors[-QUERIES:].copy()


# Twice the same curve, or no curve.
UNDRAWN = ("auto", "Gallery exact", "Gallery ivf", "sqlite-vec")


def processor(call: Callable[[], Any]) -> float:
    """Seconds of the processor, of all threads."""
    started = time.process_time()
    call()
    return time.process_time() - started


def measure(engine: str, data: str, size: int, rounds: int) -> Iterator[dict[str, Any]]:
    """What one engine does at each effort, in this process; faiss's flat index takes turns with it."""
    import torch

    torch.set_num_threads(threads())
    vectors, queries = load_data(data, size)
    ((_, flat),) = faiss_flat(vectors)
    expected = flat(queries, K)
    facts = {"engine": engine, "data": Path(data).stem, "size": len(vectors), "threads": threads()}
    before, started, used = memory(), time.perf_counter(), time.process_time()
    for effort, search in ENGINES[engine](vectors):
        if "build_seconds" not in facts:
            facts |= {
                "build_seconds": time.perf_counter() - started,
                "build_processor": time.process_time() - used,
                "memory": memory() - before,
                "bytes": getattr(ENGINES[engine], "bytes", None),
            }
        found = search(queries, K)
        recall = float(np.mean([len({*a} & {*b}) / K for a, b in zip(found.tolist(), expected.tolist(), strict=True)]))
        if recall < WORTH:
            continue
        result = {**facts, "effort": effort, "recall": recall}
        for name, batches in (
            ("single", [queries[i : i + 1] for i in range(40)]),
            ("batch", [queries[:256]]),
        ):
            count = sum(map(len, batches))
            times = np.array(
                [
                    [processor(lambda s=one: [s(batch, K) for batch in batches]) for one in (search, flat)]  # noqa: B023
                    for _ in range(rounds)
                ]
            )
            ratio = times[:, 1] / times[:, 0]
            result[name] = {
                "microseconds": float(np.median(times[:, 0]) / count * 1e6),
                "flat": float(np.median(times[:, 1]) / count * 1e6),
                "times_flat": [float(np.median(ratio)), float(ratio.min()), float(ratio.max())],
            }
        yield result
        if recall >= ENOUGH:
            break


def memory() -> float:
    """Greatest memory so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def keep(result: dict[str, Any]) -> None:
    """Add to the results, in place of an older one of the same."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    same = ("engine", "data", "size", "threads", "effort")
    known = [old for old in known if any(old[name] != result[name] for name in same)]
    RESULTS.write_text("[\n" + ",\n".join(map(json.dumps, [*known, result])) + "\n]\n")


def chosen(results: list[dict[str, Any]], recall: float = 0.99) -> list[dict[str, Any]]:
    """Of each engine and setting the cheapest effort that reaches the recall, or else the best recall."""
    best: dict[tuple[Any, ...], dict[str, Any]] = {}
    for result in results:
        key = (*panel_of(result), result["engine"])
        rank = (min(result["recall"], recall), -result["batch"]["microseconds"])
        if key not in best or rank > best[key]["rank"]:
            best[key] = {**result, "rank": rank}
    return list(best.values())


def panel_of(result: dict[str, Any]) -> tuple[str, int, int]:
    return result["data"], result["size"], result["threads"]


def show(results: list[dict[str, Any]]) -> None:
    """A table for each data set, the fastest single query first."""
    for panel in sorted({panel_of(result) for result in results}):
        data, size, count = panel
        print(f"\n{data}, {size:,} vectors, {count} thread{'s' if count > 1 else ''}:\n")
        print("| engine | effort | recall@10 | one query | batches of 256 | build | bytes a vector |")
        print("|---|---|---|---|---|---|---|")
        rows = [row for row in chosen(results) if panel_of(row) == panel]
        for row in sorted(rows, key=lambda row: row["single"]["microseconds"]):
            single, batch = (
                f"{row[name]['microseconds']:,.0f} µs ({row[name]['times_flat'][0]:.3g}x)"
                for name in ("single", "batch")
            )
            engine = f"**{row['engine']}**" if row["engine"] in OURS else row["engine"]
            held = "-" if row["bytes"] is None else f"{row['bytes']:.0f}"
            print(
                f"| {engine} | {row['effort']} | {row['recall']:.4f} | {single} | {batch} "
                f"| {row['build_processor']:.0f} s | {held} |"
            )


def undominated(rows: list[dict[str, Any]], how: str) -> list[dict[str, Any]]:
    """Those that no other one beats in both recall and time, by falling recall."""
    kept: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: (-row["recall"], row[how]["microseconds"])):
        if not kept or row[how]["microseconds"] < kept[-1][how]["microseconds"]:
            kept.append(row)
    return kept


def plot(results: list[dict[str, Any]], path: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    drawn = [row for row in results if row["threads"] == 1 and row["engine"] not in UNDRAWN]
    panels = sorted({panel_of(row)[:2] for row in drawn})
    figure, axes = plt.subplots(2, len(panels), figsize=(4.6 * len(panels), 8), squeeze=False, sharex="col")
    names = [name for name in ENGINES if name not in UNDRAWN]
    for column, (data, size) in enumerate(panels):
        for axis, how, title in zip(
            axes[:, column], ("single", "batch"), ("one by one", "batches of 256"), strict=True
        ):
            for number, engine in enumerate(names):
                rows = [row for row in drawn if panel_of(row)[:2] == (data, size) and row["engine"] == engine]
                rows = undominated(rows, how)
                axis.plot(
                    [max(1e-4, 1 - row["recall"]) for row in rows],
                    [1e6 / row[how]["microseconds"] for row in rows],
                    "o-" if engine in OURS else "x--",
                    color=f"C{number % 10}",
                    label=engine,
                    linewidth=2 if engine in OURS else 1,
                )
            axis.set(xscale="log", yscale="log", title=f"{data}, {size:,}, {title}", xlabel="recall@10")
            axis.axvline(0.01, color="grey", linewidth=0.5)
            axis.set_xticks([0.1, 0.03, 0.01, 0.001, 1e-4], ["0.9", "0.97", "0.99", "0.999", "1"])
            axis.minorticks_off()
        axes[0, column].invert_xaxis()
    for axis in axes[:, 0]:
        axis.set_ylabel("queries a second of processor time")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), fontsize=9, loc="lower center", ncols=8)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="100k")
    parser.add_argument("--data", default="mixture", help="mixture, manifold, or a file .npy")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--plot", metavar="PNG")
    parser.add_argument("--here", action="store_true", help="measure in this process, one engine")
    options = parser.parse_args()
    if options.show or options.plot:
        results = json.loads(RESULTS.read_text())
        if options.show:
            show(results)
        if options.plot:
            plot(results, options.plot)
    elif options.here:
        size = int(options.size.replace("k", "000").replace("M", "000000"))
        try:
            for result in measure(options.engines, options.data, size, options.rounds):
                print(json.dumps(result), flush=True)
                keep(result)
        except ImportError as error:
            print(f"{options.engines}: left out ({error})", flush=True)
    else:
        count = str(options.threads)
        limit = dict.fromkeys(
            (
                *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
                *("RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS", "LANCE_CPU_THREADS"),
            ),
            count,
        )
        # A thread that waits shall not spin, for that would count as time of the processor.
        limit["OMP_WAIT_POLICY"] = "passive"
        for engine in options.engines.split(","):
            same = ["--size", options.size, "--data", options.data, "--rounds", str(options.rounds), "--here"]
            subprocess.run([sys.executable, __file__, *same, "--engines", engine], env=os.environ | limit, check=False)


if __name__ == "__main__":
    main()
