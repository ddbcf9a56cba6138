"""Queries to unit vectors: all pictures of a batch at once, all words at once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nearkin.arrays import as_unit_vectors, unit
from nearkin.data.images import content_hash
from nearkin.data.items import Picture
from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput
from nearkin.gallery.query import Kind, Query, kind_of, terms_of
from nearkin.gallery.version import GalleryVersion


def embed_queries(
    queries: Sequence[Query] | Float[np.ndarray, "q dim"], version: GalleryVersion, encoder: Callable[[], Embedder]
) -> Float[np.ndarray, "q dim"]:
    """The unit vectors of whatever is asked for.

    Args:
        queries: of any kinds.
        version: has the vectors of items.
        encoder: gives the encoder, if it is needed.

    Raises:
        InvalidInput: a vector of another dimension, with NaN, or zero; parts that cancel each other out;
            no such item or picture file.
        PictureError: a picture cannot be decoded.
    """
    if isinstance(queries, np.ndarray) and queries.ndim == 2:
        return _checked(queries, version)
    parts = [terms_of(query) for query in queries]
    values = [term.value for terms in parts for term in terms]
    kinds = [kind_of(value) for value in values]
    vectors = np.empty((len(values), version.snapshot.dim), dtype=np.float32)
    embed: dict[Kind, Callable[[list[Any]], np.ndarray]] = {
        "picture": lambda pictures: encoder().embed_images(pictures),
        "words": lambda words: encoder().embed_texts(words),
        "item": version.vectors,
        "vector": lambda several: np.concatenate([_checked(vector, version) for vector in several]),
    }
    for kind, embedded in embed.items():
        some = [number for number, each in enumerate(kinds) if each == kind]
        if some:
            vectors[some] = embedded([values[number] for number in some])
    if len(values) == len(queries):
        signs = np.sign([terms[0].weight for terms in parts]).astype(np.float32)
        return signs[:, None] * vectors
    return _mixed(vectors, [[term.weight for term in terms] for terms in parts])


def own_ids(queries: Sequence[Query] | np.ndarray, version: GalleryVersion) -> list[set[int]]:
    """For each query the items that it is made of: those it names by id, and those that are its pictures.

    A picture is an item's if it lies at the item's uri; or else, if it is a copy of the item's file, byte for byte.
    """
    if isinstance(queries, np.ndarray):
        return [set() for _ in queries]
    parts = [[term.value for term in terms_of(query)] for query in queries]
    paths = {
        value: str(Path(value).resolve())
        for values in parts
        for value in values
        if isinstance(value, str | Path) and kind_of(value) == "picture"
    }
    by_uri = version.snapshot.ids_by("uri", sorted({*paths.values()}))
    copies = {path: _content(path) for path, ids in by_uri.items() if not ids}
    by_content = version.snapshot.ids_by("content_hash", sorted({*copies.values()}))
    own: list[set[int]] = []
    for values in parts:
        ids = {int(value) for value in values if kind_of(value) == "item"}
        for path in (paths[value] for value in values if isinstance(value, str | Path) and value in paths):
            ids |= by_uri[path] or by_content[copies[path]]
        own.append(ids)
    return own


def _content(path: str) -> str:
    picture = Picture(path)
    return content_hash(picture.read(), picture.box)


def _mixed(vectors: Float[np.ndarray, "m dim"], weights: list[list[float]]) -> Float[np.ndarray, "q dim"]:
    """For each query the direction of the weighted sum of its parts; only the ratios of its weights count."""
    starts = np.cumsum([0, *(len(part) for part in weights[:-1])])
    ratios = np.concatenate([np.array(part) / np.abs(part).max() for part in weights])
    sums = np.add.reduceat(vectors * ratios[:, None], starts)
    empty = np.flatnonzero(np.linalg.norm(sums, axis=1) < 1e-6)
    if len(empty):
        raise InvalidInput("the parts of the mixture cancel each other out: change their weights")
    return unit(sums).astype(np.float32)


def _checked(vectors: Any, version: GalleryVersion) -> Float[np.ndarray, "q dim"]:
    """Vectors from outside, scaled to unit length."""
    dim = version.snapshot.dim
    queries = as_unit_vectors(vectors, "query")
    if queries.shape[1] != dim:
        raise InvalidInput(
            f"the query's dimension is {queries.shape[1]}, the gallery's is {dim} (encoder "
            f"{version.snapshot.encoder}): embed the query with that encoder"
        )
    if not queries.any(axis=1).all():
        raise InvalidInput("query is the zero vector, which has no direction")
    return queries
