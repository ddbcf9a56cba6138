"""What becomes of the class registry when its gallery changes: another encoder, encoders that go, a check."""

from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from nearkin.encoders.embedder import Embedder
from nearkin.errors import ArtefactError
from nearkin.gallery.classes.events import Kind
from nearkin.gallery.classes.payload import why_not
from nearkin.gallery.classes.registry import LOG, ClassRegistry
from nearkin.gallery.classes.vectors import FOLDER, vectors_name
from nearkin.gallery.location import Location


def carry_over(location: Location, encoder: Embedder, *, alone: bool) -> int:
    """Embed all examples with a new encoder, beside the vectors of the old one; says how many have a vector then.

    Args:
        location: of the gallery.
        encoder: the new one.
        alone: whether the caller keeps others from writing meanwhile; else each chunk is written on its own.
    """
    registry = ClassRegistry(location)
    log = registry.log.rows()
    if not len(log):
        return 0
    registry.embed_missing(encoder, lock=None if alone else location.alone)
    examples = int(np.count_nonzero(np.asarray(log["kind"].is_valid())))
    return examples - len(registry.missing(encoder.fingerprint, encoder.dim))


def carry_items_over(
    location: Location, encoder: Embedder, ids: Int[np.ndarray, " n"], vectors: Float[np.ndarray, "n dim"]
) -> Counter[str]:
    """Examples that are known by the vector of an item alone get the item's new vector.

    Nobody else may write meanwhile.

    Args:
        location: of the gallery.
        encoder: the new one.
        ids: of the items.
        vectors: theirs, by the new encoder.

    Returns:
        How many examples have no vector of the new encoder, for each reason; see `why_not`.
    """
    registry = ClassRegistry(location)
    fingerprint, dim = encoder.fingerprint, encoder.dim
    missing = registry.missing(fingerprint, dim)
    if not missing:
        return Counter()
    columns = registry.log.rows().select(["kind", "item_id", "payload_key"]).take(missing).to_pylist()
    row_of = {int(id): row for row, id in enumerate(ids)}
    found = {
        each["payload_key"]: row_of[each["item_id"]]
        for each in columns
        if each["kind"] == Kind.VECTOR and each["item_id"] in row_of
    }
    if found:
        registry.keep(fingerprint, list(found), vectors[list(found.values())])
    left = registry.bare_payloads(registry.missing(fingerprint, dim))
    return Counter(why_not(each, encoder) or "" for each in left)


def remove_vectors_but(location: Location, fingerprints: set[str]) -> None:
    """Remove the vectors of encoders that no version of the gallery needs."""
    needed = {Path(vectors_name(each)).name for each in fingerprints}
    for folder in location.folders(FOLDER) - needed:
        location.remove(f"{FOLDER}/{folder}")


def check_classes(location: Location, fingerprint: str, dim: int) -> list[str]:
    """What is wrong with the class registry, in words; nothing if it is intact."""
    registry = ClassRegistry(location)
    try:
        log = registry.log.rows()
        store = registry.vectors(fingerprint, dim)
        rows = store.rows(log["payload_key"])
    except ArtefactError as error:
        return [f"{error}: restore {LOG} and {FOLDER}/"]
    numbers = log["number"].to_numpy()
    faults = []
    if len(np.unique(numbers)) < len(numbers):
        faults.append("the class registry has two events of one number")
    lengths = np.linalg.norm(store.vectors[rows[rows >= 0]], axis=1)
    if wrong := int(np.count_nonzero(~(np.abs(lengths - 1) < 1e-3))):
        faults.append(f"the class registry has {wrong:,} vectors that are not of length 1")
    return faults
