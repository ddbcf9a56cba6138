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
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

QUERIES, K = 512, 10
# Efforts are timed from the one recall to the other.
WORTH, ENOUGH = 0.9, 0.995
RESULTS = Path(__file__).parent / "search.json"
Search = Callable[[np.ndarray, int], np.ndarray]
Engine = Callable[[np.ndarray], Iterator[tuple[str, Search]]]


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


# --- Engines: from vectors to (name of the effort, search) from low effort to high, and the size of what they hold.


def ours(kind: str) -> Engine:
    def engine(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
        from nearkin.gallery.indexes import ExactIndex, build

        index = build(vectors, kind)
        engine.bytes = index.bytes_per_vector  # type: ignore[attr-defined]
        if isinstance(index, ExactIndex):
            yield index.setting, lambda queries, k: index.search(queries, k)[1]
            return
        chosen, stated = index.effort, index.recall.value
        for effort in index.efforts:
            if effort >= chosen / 4:
                index.effort = effort
                said = f" (chosen, states {stated:.4f})" if effort == chosen else ""
                yield f"{index.setting}{said}", lambda queries, k: index.search(queries, k)[1]

    return engine


class NoEncoder:
    """A gallery wants an encoder; here the vectors come from elsewhere."""

    preprocessing = None
    has_text = False
    fingerprint = "none"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    embed_pixels = embed_images = embed_texts = None

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True)


def through_gallery(kind: str) -> Engine:
    """The public door: `Gallery.search` and `Gallery.search_many`, with items whose records are not looked at."""

    def engine(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
        from nearkin import Gallery

        with tempfile.TemporaryDirectory() as folder:
            encoder = NoEncoder(vectors.shape[1])
            gallery = Gallery.create(Path(folder, "gallery"), encoder)
            gallery.add_vectors([f"{row}.png" for row in range(len(vectors))], vectors)
            if kind != "exact":
                gallery.build(kind)
            gallery.search(vectors[0], 1)
            started = time.perf_counter()
            gallery = Gallery.open(Path(folder, "gallery"), encoder)
            gallery.search(vectors[0], 1)
            opening = time.perf_counter() - started

            def search(queries: np.ndarray, k: int) -> np.ndarray:
                if len(queries) == 1:
                    return np.array([gallery.search(queries[0], k).ids])
                return np.array([hits.ids for hits in gallery.search_many(queries, k)])

            yield f"opened in {opening:.2f} s", search

    return engine


def faiss_flat(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    yield "", lambda queries, k: index.search(queries, k)[1]


def refined(vectors: np.ndarray, queries: np.ndarray, candidates: np.ndarray, k: int) -> np.ndarray:
    best = [np.argsort(-(vectors[row] @ query))[:k] for query, row in zip(queries, candidates, strict=True)]
    return np.take_along_axis(candidates, np.array(best), axis=1)


def faiss_lsh(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    import faiss

    index = faiss.IndexLSH(vectors.shape[1], 256, True, False)
    index.add(vectors)
    faiss_lsh.bytes = 32
    for depth in (50, 100, 200, 500, 1000, 2000, 4000):
        yield (
            f"refine {depth}",
            lambda queries, k, depth=depth: refined(vectors, queries, index.search(queries, depth)[1], k),
        )


def faiss_hnsw(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    import faiss

    index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 100
    index.add(vectors)
    faiss_hnsw.bytes = 4 * vectors.shape[1] + 4 * 32
    for effort in (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024):
        index.hnsw.efSearch = effort
        yield f"efSearch {effort}", lambda queries, k: index.search(queries, k)[1]


def faiss_ivf(cells_per_root: int) -> Engine:
    def engine(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
        import faiss

        cells = round(cells_per_root * len(vectors) ** 0.5)
        index = faiss.index_factory(vectors.shape[1], f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
        index.train(vectors[: 64 * cells])
        index.add(vectors)
        engine.bytes = 4 * vectors.shape[1] + 8  # type: ignore[attr-defined]
        for effort in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512):
            index.nprobe = effort
            yield f"{cells} cells, nprobe {effort}", lambda queries, k: index.search(queries, k)[1]

    return engine


def faiss_ivf_pq(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    import faiss

    cells, dim = round(4 * len(vectors) ** 0.5), vectors.shape[1]
    index = faiss.index_factory(dim, f"IVF{cells},PQ{dim // 2}x4fs", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[: 64 * cells])
    index.add(vectors)
    faiss_ivf_pq.bytes = dim / 4 + 8
    for effort in (2, 4, 8, 16, 32, 64, 128, 256, 512):
        for depth in (50, 200, 500):
            index.nprobe = effort
            yield (
                f"nprobe {effort} refine {depth}",
                lambda queries, k, depth=depth: refined(vectors, queries, index.search(queries, depth)[1], k),
            )


def hnswlib(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    import hnswlib as library

    index = library.Index("ip", vectors.shape[1])
    index.init_index(len(vectors), M=16, ef_construction=100)
    index.set_num_threads(threads())
    index.add_items(vectors)
    hnswlib.bytes = index.index_file_size() / len(vectors)
    for effort in (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024):
        index.set_ef(effort)
        yield f"ef {effort}", lambda queries, k: index.knn_query(queries, k)[0]


def usearch(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="ip", dtype="i8", connectivity=16, expansion_add=100)
    index.add(np.arange(len(vectors)), vectors, threads=threads())
    usearch.bytes = index.memory_usage / len(vectors)
    for effort in (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024):
        index.expansion_search = effort

        def search(queries: np.ndarray, k: int) -> np.ndarray:
            found = index.search(queries, 2 * k, threads=threads()).keys.reshape(len(queries), -1)
            return refined(vectors, queries, found.astype(np.int64), k)

        yield f"i8, expansion {effort}, refine 20", search


def scann(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    import scann as library

    leaves = round(2 * len(vectors) ** 0.5)
    index = (
        library.scann_ops_pybind.builder(vectors, K, "dot_product")
        .tree(num_leaves=leaves, num_leaves_to_search=100, training_sample_size=64 * leaves)
        .score_ah(2, anisotropic_quantization_threshold=0.2)
        .reorder(100)
        .build()
    )
    for effort in (1, 2, 3, 4, 6, 8, 16, 32, 64, 128, 256):
        for depth in (50, 150, 500):

            def search(queries: np.ndarray, k: int, effort: int = effort, depth: int = depth) -> np.ndarray:
                many = index.search_batched_parallel if threads() > 1 else index.search_batched
                found = many(queries, k, pre_reorder_num_neighbors=depth, leaves_to_search=effort)
                return found[0].astype(np.int64)

            yield f"leaves {effort} reorder {depth}", search


def padded(rows: list[list[int]], k: int) -> np.ndarray:
    """Ids as a matrix; -1 where an engine found fewer than k."""
    return np.array([[*row, *[-1] * (k - len(row))] for row in rows], dtype=np.int64)


def bytes_of(files: Iterator[Path]) -> int:
    return sum(file.stat().st_size for file in files if file.is_file())


def lancedb(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    """IVF_FLAT: in batches cheaper than its HNSW, and than its quantised kinds, which read the vectors to refine."""
    import lancedb as library
    import pyarrow as pa
    from lancedb.index import IvfFlat

    cells = round(4 * len(vectors) ** 0.5)
    column = pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1])
    with tempfile.TemporaryDirectory() as folder:
        table = library.connect(folder).create_table("t", pa.table({"id": np.arange(len(vectors)), "vector": column}))
        table.create_index("vector", config=IvfFlat(distance_type="dot", num_partitions=cells, sample_rate=64))
        lancedb.bytes = bytes_of(Path(folder, "t.lance", "_indices").rglob("*")) / len(vectors)
        for effort in (4, 8, 16, 32, 64, 128, 256, 512):

            def search(queries: np.ndarray, k: int, effort: int = effort) -> np.ndarray:
                asked = table.search([*queries], vector_column_name="vector").distance_type("dot").nprobes(effort)
                found = asked.limit(k).select(["id", "_distance"]).to_arrow()
                if len(queries) == 1:
                    return padded([found["id"].to_pylist()], k)
                found = found.sort_by([("query_index", "ascending"), ("_distance", "ascending")])
                starts = np.searchsorted(found["query_index"].to_numpy(), np.arange(1, len(queries)))
                return padded([ids.tolist() for ids in np.split(found["id"].to_numpy(), starts)], k)

            yield f"IVF_FLAT nprobes {effort}", search


def chromadb(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    import chromadb as library

    settings = {"space": "ip", "max_neighbors": 16, "ef_construction": 100, "num_threads": threads()}
    with tempfile.TemporaryDirectory() as folder:
        client = library.PersistentClient(folder)
        table = client.create_collection("vectors", configuration={"hnsw": settings})
        for start in range(0, len(vectors), 5000):
            part = vectors[start : start + 5000]
            table.add(ids=[str(start + i) for i in range(len(part))], embeddings=part)
        chromadb.bytes = bytes_of(Path(folder).rglob("*.bin")) / len(vectors)
        for effort in (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024):
            # A graph that is open keeps the effort it was opened with.
            table.modify(configuration={"hnsw": {"ef_search": effort}})
            client.close()
            client = library.PersistentClient(folder)
            table = client.get_collection("vectors")

            def search(queries: np.ndarray, k: int, table: Any = table) -> np.ndarray:
                found = table.query(query_embeddings=queries, n_results=k, include=[])
                return padded([[*map(int, ids)] for ids in found["ids"]], k)

            yield f"ef_search {effort}", search


def qdrant_edge(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    import qdrant_edge as library

    with tempfile.TemporaryDirectory() as folder:
        config = library.EdgeConfig(
            vectors=library.EdgeVectorParams(vectors.shape[1], library.Distance.Dot),
            hnsw_config=library.HnswIndexConfig(16, 100, full_scan_threshold=1, max_indexing_threads=threads()),
            quantization_config=library.ScalarQuantizationConfig(library.ScalarType.Int8, memory=library.Memory.Pinned),
            # Kilobytes: all vectors in one graph.
            optimizers=library.EdgeOptimizersConfig(
                default_segment_number=1, indexing_threshold=1000, max_segment_size=10**8
            ),
            max_search_threads=threads(),
        )
        shard = library.EdgeShard.create(folder, config)
        for start in range(0, len(vectors), 5000):
            points = [
                library.Point(start + i, vector) for i, vector in enumerate(vectors[start : start + 5000].tolist())
            ]
            shard.update(library.UpdateOperation.upsert_points(points))
        shard.optimize()
        refine = library.QuantizationSearchParams(rescore=True, oversampling=2.0)
        for effort in (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024):
            params = library.SearchParams(hnsw_ef=effort, quantization=refine)

            def search(queries: np.ndarray, k: int, params: Any = params) -> np.ndarray:
                asked = [
                    library.QueryRequest(k, query=library.Query.Nearest(q), params=params) for q in queries.tolist()
                ]
                found = shard.query_batch(library.QueryBatchRequest(asked))
                return padded([[hit.id for hit in hits] for hits in found], k)

            yield f"int8, hnsw_ef {effort}, refine 20", search


def sqlite_vec(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
    """Through apsw, as Python's own sqlite3 is often built without extensions."""
    import apsw
    import sqlite_vec as library

    base = apsw.Connection(":memory:")
    base.enable_load_extension(True)
    base.load_extension(library.loadable_path())
    # Of unit vectors the nearest are the most alike; here that is faster than its cosine.
    base.execute(f"create virtual table t using vec0(v float[{vectors.shape[1]}] distance_metric=l2)")
    with base:
        base.executemany("insert into t(rowid, v) values (?, ?)", ((i, row.tobytes()) for i, row in enumerate(vectors)))
    sqlite_vec.bytes = base.pragma("page_count") * base.pragma("page_size") / len(vectors)
    ask = "select rowid from t where v match ? and k = ? order by distance"

    def search(queries: np.ndarray, k: int) -> np.ndarray:
        return padded([[row for (row,) in base.execute(ask, (query.tobytes(), k))] for query in queries], k)

    yield "flat", search


ENGINES: dict[str, Engine] = {
    **{kind: ours(kind) for kind in ("exact", "lsh", "pq", "hnsw", "ivf", "ivf-pq", "auto")},
    "Gallery exact": through_gallery("exact"),
    "Gallery ivf": through_gallery("ivf"),
    "faiss-flat": faiss_flat,
    "faiss-lsh": faiss_lsh,
    "faiss-hnsw": faiss_hnsw,
    "faiss-ivf": faiss_ivf(4),
    "faiss-ivf-few": faiss_ivf(1),
    "faiss-ivf-pq": faiss_ivf_pq,
    "hnswlib": hnswlib,
    "usearch": usearch,
    "scann": scann,
    "lancedb": lancedb,
    "chromadb": chromadb,
    "qdrant-edge": qdrant_edge,
    "sqlite-vec": sqlite_vec,
}


OURS = ("exact", "lsh", "pq", "hnsw", "ivf", "ivf-pq", "auto", "Gallery exact", "Gallery ivf")
# Twice the same curve, or no curve.
UNDRAWN = ("auto", "Gallery exact", "Gallery ivf", "sqlite-vec")


def threads() -> int:
    return int(os.environ["OMP_NUM_THREADS"])


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
    truth = flat(queries, K)
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
        recall = float(np.mean([len({*a} & {*b}) / K for a, b in zip(found.tolist(), truth.tolist(), strict=True)]))
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
