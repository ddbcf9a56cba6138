"""The engines that `search.py` compares: nearkin's index kinds, raw and through a gallery, and other libraries.

An engine takes vectors and gives searches, from low effort to high, each with the name of the effort. What it holds of
a vector stands in its attribute `bytes`, where that is known.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nearkin.gallery.index import kind_names

K = 10
Search = Callable[[np.ndarray, int], np.ndarray]
Engine = Callable[[np.ndarray], Iterator[tuple[str, Search]]]


def threads() -> int:
    return int(os.environ["OMP_NUM_THREADS"])


def ours(kind: str) -> Engine:
    def engine(vectors: np.ndarray) -> Iterator[tuple[str, Search]]:
        from nearkin.gallery.index import ExactIndex, build

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
    """A gallery has an encoder; here the vectors come from elsewhere."""

    preprocessing = None
    has_text = False
    fingerprint = "none"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    embed_pixels = embed_images = embed_texts = None

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True)


def through_gallery(kind: str) -> Engine:
    """`Gallery.search` and `Gallery.search_many`, with items whose records are not read."""

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
    **{kind: ours(kind) for kind in kind_names()},
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

OURS = (*kind_names(), "Gallery exact", "Gallery ivf")
