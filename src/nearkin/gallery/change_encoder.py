"""A gallery changes over to another encoder: everything is embedded again beside the old vectors, then they change
places in one commit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from nearkin.data.images import stream_pixels
from nearkin.data.items import Broken, Items, Picture
from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput
from nearkin.gallery.items.columns import ID, NEXT_VECTOR, VECTOR, vector_field
from nearkin.gallery.items.store import Snapshot, lance_errors
from nearkin.gallery.lance import lance
from nearkin.intervals.bootstrap import bootstrap_mean
from nearkin.intervals.figure import Figure
from nearkin.progress import Progress
from nearkin.similarity import top_k

CHUNK = 256
# Items whose neighbours are compared, and how many neighbours.
SAMPLE, NEIGHBOURS = 500, 10


@dataclass(frozen=True)
class ReindexSummary:
    """What a change of encoder did.

    Args:
        items: that have a new vector.
        embedded: of these in this call; others were done in a call that was cut short.
        dropped: items whose pictures could not be read, and which were deleted.
        agreement: share of an item's 10 nearest neighbours under the old encoder that are so under the new one; mean
            over up to 500 items. None if there are fewer than two items.
        calibrated: whether only the encoder's calibration was taken over, for the gallery has this encoder already.
        examples: of classes, that have a new vector.
        examples_left: of classes, that the new encoder cannot embed: bare vectors of the old one, words or attributes
            that it does not know. They count again after a `restore`.
        why_left: how many of these for each reason.
    """

    items: int
    embedded: int
    dropped: tuple[Broken, ...]
    agreement: Figure | None
    calibrated: bool = False
    examples: int = 0
    examples_left: int = 0
    why_left: Mapping[str, int] = field(default_factory=dict)


class Staging:
    """New vectors, kept until there is one for each item; a call that is cut short goes on where it was.

    Args:
        uri: of a Lance dataset, made if it is missing.
        encoder: makes the vectors.
        source: has the pictures, by uri. What it lacks is read from the uri itself.
        storage: options of the object store.
    """

    def __init__(
        self, uri: str, encoder: Embedder, source: Items | None = None, storage: dict[str, str] | None = None
    ) -> None:
        self._encoder = encoder
        self._pictures = {picture.uri: picture for picture in source.pictures} if source else {}
        self._schema = pa.schema(
            [(ID, pa.int64()), ("content_hash", pa.string()), (VECTOR, pa.list_(pa.float32(), encoder.dim))]
        )
        # How many pictures this call has embedded, and which it could not read, by uri.
        self.embedded = 0
        self.broken: dict[str, Broken] = {}
        with lance_errors():
            try:
                self._dataset = lance.dataset(uri, storage_options=storage)
            except ValueError:
                self._dataset = lance.write_dataset(self._schema.empty_table(), uri, storage_options=storage)

    def embed_missing(self, snapshot: Snapshot, progress: Progress | None = None) -> None:
        """Embed the items that have no vector here, or one of another content."""
        done = set(_tuples(self._dataset.to_table(columns=[ID, "content_hash"])))
        rows = _tuples(snapshot.read([ID, "content_hash", "uri"]))
        todo = [(id, content, uri) for id, content, uri in rows if (id, content) not in done and uri not in self.broken]
        pictures = [self._pictures.get(uri) or Picture(uri) for _, _, uri in todo]
        for batch in stream_pixels(pictures, self._encoder.preprocessing, batch_size=CHUNK):
            self.broken |= {broken.uri: broken for broken in batch.broken}
            if len(batch.rows):
                self._append([todo[row] for row in batch.rows], self._encoder.embed_pixels(batch.pixels))
            if progress:
                progress(len(rows) - len(todo) + self.embedded + len(self.broken), len(rows))

    def check_complete(self, drop_missing: bool) -> None:
        """Pass if there is a vector for each item, or those without may go.

        Raises:
            InvalidInput: pictures could not be read, and may not be dropped.
        """
        if self.broken and not drop_missing:
            raise InvalidInput(
                f"{len(self.broken):,} pictures cannot be read, such as {next(iter(self.broken.values()))}: bring them "
                "back, name a source that has them, or drop their items (drop_missing=True, --drop-missing); what was "
                "embedded is kept"
            )

    def vectors(self, ids: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n dim"]:
        """The new vectors of these items, all of which have one."""
        with lance_errors():
            table = self._dataset.to_table(columns=[ID, VECTOR], scan_in_order=True).combine_chunks()
        staged = table[ID].to_numpy()
        # Of an item that changed while it was waiting, the last vector counts.
        order = np.argsort(staged, kind="stable")
        positions = order[np.searchsorted(staged, ids, side="right", sorter=order) - 1]
        vectors = table[VECTOR].combine_chunks().flatten().to_numpy().reshape(-1, self._encoder.dim)
        return vectors[positions]

    def _append(self, rows: list[tuple], vectors: Float[np.ndarray, "n dim"]) -> None:
        ids, contents = [row[0] for row in rows], [row[1] for row in rows]
        column = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1])
        with lance_errors():
            self._dataset = lance.write_dataset(
                pa.table([ids, contents, column], schema=self._schema), self._dataset, mode="append"
            )
        self.embedded += len(rows)


def as_column(vectors: Float[np.ndarray, "n dim"], encoder: str) -> pa.RecordBatchReader:
    """An encoder's vectors as the store wants them for a change of encoder."""
    schema = pa.schema([vector_field(NEXT_VECTOR, encoder, vectors.shape[1])])

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(vectors), 8192):
            part = vectors[start : start + 8192]
            column = pa.FixedSizeListArray.from_arrays(part.reshape(-1), part.shape[1])
            yield pa.record_batch([column], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def agreement(old: Float[np.ndarray, "n old_dim"], new: Float[np.ndarray, "n new_dim"]) -> Figure | None:
    """Share of the nearest neighbours by the old vectors that are so by the new ones; None for fewer than two items.

    Example:
        >>> vectors = np.eye(4, dtype=np.float32)
        >>> agreement(vectors, vectors).value
        1.0
    """
    if len(old) < 2:
        return None
    rows = np.random.default_rng(0).permutation(len(old))[:SAMPLE]
    k = min(NEIGHBOURS, len(old) - 1)
    before, after = (top_k(vectors[rows], vectors, k, exclude=rows)[1] for vectors in (old, new))
    shared = [len(set(one) & set(other)) / k for one, other in zip(before.tolist(), after.tolist(), strict=True)]
    return bootstrap_mean(shared, within=(0.0, 1.0))


def _tuples(table: pa.Table) -> list[tuple]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
