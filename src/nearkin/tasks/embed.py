"""Embeddings as a file: vectors of pictures or captions with all that their source says of them.

Chunk by chunk, in bounded memory. Each chunk is written into a folder beside the file at once, so that an interrupted
call goes on where it stopped; the file appears when all is there.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nearkin.arrow import pa
from nearkin.data.items import Broken, Items, Picture
from nearkin.data.sources import read_items
from nearkin.data.streaming import stream_pixels
from nearkin.data.vector_files import CONTENT_HASH, FINGERPRINT, PATH, PREPROCESSING, SUFFIXES, VECTOR, vectors_of
from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput, SourceError
from nearkin.files import check_output, write_whole, written_whole
from nearkin.gallery.items.columns import typed_column
from nearkin.progress import Progress

# Pictures of a chunk: what an interrupted call does again, and what is in memory at once.
CHUNK = 4096


@dataclass(frozen=True, eq=False)
class EmbedSummary:
    """What became of the pictures, captions or texts of one `embed`.

    Args:
        embedded: how many vectors there are.
        dim: embedding dimension.
        resumed: how many of them were there already, from an interrupted call.
        skipped: pictures that could not be read, and why; they have no row.
        table: the rows, as a Parquet file has them; None if they were written into a file.
    """

    embedded: int
    dim: int
    resumed: int = 0
    skipped: tuple[Broken, ...] = ()
    table: pa.Table | None = field(default=None, repr=False)

    @property
    def vectors(self) -> Float[np.ndarray, "n dim"]:
        """One of each row of `table`.

        Raises:
            InvalidInput: they were written into a file.
        """
        if self.table is None:
            raise InvalidInput("the vectors were written into a file: nearkin.read_vectors reads it")
        return vectors_of(self.table)


def embed_rows(
    encoder: Embedder,
    data: Items | None = None,
    *,
    texts: Sequence[str] | None = None,
    captions: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> Iterator[dict[str, Any] | Broken]:
    """Each picture, caption or text with its columns and its vector, as `embed` writes them; and what was skipped."""
    _check_what(data, texts)
    work = _Work(encoder, data, texts, captions)
    if data is not None:
        yield from data.skipped
    for start in range(0, work.total, CHUNK):
        table, broken = work.chunk(start, strict=strict, progress=progress)
        yield from table.to_pylist()
        yield from broken


def embed(
    model: str | Path | Embedder,
    data: Any = None,
    out: str | Path | None = None,
    *,
    texts: Sequence[str] | None = None,
    captions: bool = False,
    label: str | None = None,
    caption_column: str | Sequence[str] | None = None,
    path_column: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> EmbedSummary:
    """The embeddings of pictures, of their captions, or of texts: returned, or written into a file.

    A file is there whole or not at all, and a call that was interrupted goes on where it stopped. Memory does not grow
    with the number of pictures then, but for their names and metadata.

    Args:
        model: a model folder, a run folder, a start, a name on the Hub, or an encoder.
        data: a folder, a table, a frame, a picture, a list of pictures, ..., as `read_items` takes.
        out: by its ending a Parquet file: `path`, every column of the source, `content_hash` and `vector`, a list of
            `dim` float32, with the encoder's fingerprint and preprocessing in the file's metadata. Or `.npy`, float32
            `[n, dim]`, with a `.csv` of the other columns beside it, row by row. Or `.csv`, a column per dimension.
        texts: embed these, instead of pictures.
        captions: embed the captions of `data` and not its pictures; a row per caption, in column `caption`.
        label, caption_column, path_column: as in `read_items`.
        strict: stop at a picture that cannot be read, instead of skipping it.
        progress: called with the number of pictures done and of all.

    Returns:
        How many vectors there are, which pictures have none, and the vectors if they went into no file.

    Raises:
        SourceError: the source cannot be read, or no picture of it can be decoded.
        InvalidInput: neither data nor texts, or both; the file cannot be written, or has another ending; texts for an
            encoder of pictures only, an empty text, or captions where there are none.
        PictureError: `strict`, and a picture cannot be read.

    Example:
        >>> nearkin.embed("runs/flowers", "photos", "vectors.parquet").embedded  # doctest: +SKIP
        1000
        >>> nearkin.embed("runs/flowers", "photos/rose.jpg").vectors.shape       # doctest: +SKIP
        (1, 128)
    """
    _check_what(data, texts)
    path = None if out is None else check_output(out, "out", suffixes=SUFFIXES)
    if path is not None and path.suffix.lower() == ".npy":
        check_output(path.with_suffix(".csv"), "out")
    items = None
    if data is not None:
        items = read_items(data, label=label, captions=caption_column, path_column=path_column)
        items.refuse_skipped(strict)
    work = _Work(as_encoder(model), items, texts, captions)
    if path is not None:
        return _embed_into(path, work, strict, progress)
    done = [work.chunk(start, strict=strict, progress=progress) for start in range(0, work.total, CHUNK)]
    table = pa.concat_tables([rows for rows, _ in done]).combine_chunks()
    return work.summary(len(table), [one for _, broken in done for one in broken], table=table)


def _embed_into(path: Path, work: "_Work", strict: bool, progress: Progress | None) -> EmbedSummary:
    """Chunk by chunk into files beside the output, and these into the output."""
    broken: list[Broken] = []
    resumed = 0
    try:
        parts = _Parts(path.with_name(f".{path.name}.parts"), work)
        for start in range(0, work.total, CHUNK):
            part = parts.read(start)
            if part is None:
                part = work.chunk(start, strict=strict, progress=progress)
                parts.write(start, *part)
            else:
                resumed += len(part[0])
                if progress:
                    progress(min(start + CHUNK, work.total), work.total)
            broken += part[1]
        summary = work.summary(parts.count(), broken, resumed=resumed)
        _write(path, parts, work, summary.embedded)
        parts.remove()
    except OSError as error:
        raise InvalidInput(f"cannot write '{path}': {error.strerror or error}") from error
    return summary


def _check_what(data: Any, texts: Sequence[str] | None) -> None:
    if (data is None) == (texts is None):
        raise InvalidInput("expected data or texts: pictures to embed, or texts = ['a red cup', ...]")
    if isinstance(texts, str) or (texts is not None and not all(isinstance(text, str) for text in texts)):
        raise InvalidInput("texts: expected a list of texts, such as ['a red cup']")
    for number, text in enumerate(texts or (), 1):
        if not text.strip():
            raise InvalidInput(f"text {number} is empty: expected words")
    if texts is not None and not texts:
        raise InvalidInput("no texts: expected a list such as ['a red cup']")


def as_encoder(model: str | Path | Embedder) -> Embedder:
    """The encoder of a model folder, a run folder, a start or a name on the Hub; one that is an encoder as it is.

    Raises:
        ArtefactError: there is no model.
    """
    if not isinstance(model, str | Path):
        return model
    from nearkin.encoders.encoder import Encoder

    encoder: Embedder = Encoder.from_pretrained(model)
    return encoder


class _Work:
    """What is embedded, row by row: pictures, captions or texts.

    Args:
        encoder, data, texts, captions: as in `embed`.

    Raises:
        InvalidInput: texts for an encoder of pictures only, or captions where there are none.
    """

    def __init__(self, encoder: Embedder, data: Items | None, texts: Sequence[str] | None, captions: bool) -> None:
        self.encoder = encoder
        self._texts = texts
        self._skipped = () if data is None else data.skipped
        self._pictures: Sequence[Picture] = ()
        if data is None:
            self.source, rows = "texts", np.arange(len(texts or ()))
            self._columns = pa.table({})
        elif captions:
            self.source = data.source
            self._texts, rows = data.texts()
            self._columns = _columns(data).drop_columns(["captions"]) if data.has_captions else pa.table({})
        else:
            self.source, self._pictures, rows = data.source, data.pictures, np.arange(len(data))
            self._columns = _columns(data)
        if self._texts is not None and not encoder.has_text:
            raise InvalidInput("the model embeds pictures only: train one with --captions to embed texts")
        if captions and not len(rows):
            raise InvalidInput(f"{self.source}: there are no captions: name their column with --caption-column")
        self._rows, self.total = rows, len(rows)
        last = CONTENT_HASH if self._texts is None else "text" if data is None else "caption"
        self.schema = pa.schema(
            [
                *self._columns.schema,
                pa.field(last, pa.string()),
                pa.field(VECTOR, pa.list_(pa.float32(), encoder.dim)),
            ],
            metadata={
                FINGERPRINT: encoder.fingerprint,
                PREPROCESSING: json.dumps(encoder.preprocessing.to_dict(), ensure_ascii=False),
            },
        )

    @property
    def signature(self) -> str:
        """Of all that the vectors and columns depend on, but for the contents of the pictures."""
        digest = blake2b(digest_size=16)
        for part in (self.schema.metadata, str(self.schema), self._texts and list(self._texts)):
            digest.update(repr(part).encode())
        for batch in self._columns.to_batches(max_chunksize=CHUNK):
            digest.update(repr(batch.to_pydict()).encode())
        return digest.hexdigest()

    def summary(
        self, count: int, broken: Sequence[Broken], *, resumed: int = 0, table: pa.Table | None = None
    ) -> EmbedSummary:
        """Of so many vectors.

        Raises:
            SourceError: there are none.
        """
        if not count:
            first = f"; the first: {broken[0]}" if broken else ""
            raise SourceError(f"{self.source}: none of {self.total} pictures can be decoded{first}")
        return EmbedSummary(count, self.encoder.dim, resumed, (*self._skipped, *broken), table)

    def chunk(self, start: int, *, strict: bool, progress: Progress | None) -> tuple[pa.Table, list[Broken]]:
        """The rows of a chunk, and its pictures that could not be read."""
        if self._texts is not None:
            texts = list(self._texts[start : start + CHUNK])
            of_texts = self.encoder.embed_texts(texts)
            if progress:
                progress(start + len(texts), self.total)
            return self._table(self._rows[start : start + CHUNK], pa.array(texts, pa.string()), of_texts), []
        rows, vectors = [], []
        hashes: list[str] = []
        broken: list[Broken] = []
        pictures = self._pictures[start : start + CHUNK]
        for batch in stream_pixels(pictures, self.encoder.preprocessing, strict=strict):
            broken += batch.broken
            if len(batch.rows):
                rows.append(batch.rows + start)
                vectors.append(self.encoder.embed_pixels(batch.pixels))
                hashes += batch.hashes
            if progress:
                progress(start + sum(map(len, rows)) + len(broken), self.total)
        if not rows:
            return self.schema.empty_table(), broken
        return self._table(np.concatenate(rows), pa.array(hashes, pa.string()), np.concatenate(vectors)), broken

    def changed_since(self, start: int, time_ns: int) -> bool:
        """Whether a picture of a chunk is newer than that."""
        for picture in self._pictures[start : start + CHUNK]:
            if picture.read_bytes is None:
                with suppress(OSError):
                    if Path(picture.whole_uri).stat().st_mtime_ns > time_ns:
                        return True
        return False

    def _table(self, rows: np.ndarray, last: pa.Array, vectors: Float[np.ndarray, "n dim"]) -> pa.Table:
        stated = self._columns.take(pa.array(rows))
        flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, self.encoder.dim)
        return pa.table([*stated.columns, last, column], schema=self.schema)


def _columns(items: Items) -> pa.Table:
    """What the source says of each picture: its path, and every column that it fills."""
    columns: dict[str, Any] = {PATH: pa.array(items.uris, pa.string())}
    if items.has_labels:
        columns["label"] = pa.array(items.labels, pa.string())
    if items.has_captions:
        columns["captions"] = pa.array(items.captions, pa.list_(pa.string()))
    if any(items.splits):
        columns["split"] = pa.array(items.splits, pa.string())
    for name, roles in (("is_query", items.is_query), ("is_gallery", items.is_gallery)):
        if roles is not None:
            columns[name] = pa.array(roles)
    taken = {*columns, VECTOR, CONTENT_HASH, "caption"}
    for name, values in items.metadata.items():
        while name in taken:
            name += "_"
        columns[name] = typed_column(values)
        taken.add(name)
    return pa.table(columns)


class _Parts:
    """The chunks that are done, each in a file of a folder beside the output.

    Args:
        folder: of these files and no others.
        work: that they are of; those of other work are removed.
    """

    def __init__(self, folder: Path, work: _Work) -> None:
        self._folder, self._work = folder, work
        stamp, signature = folder / "signature", work.signature
        try:
            if stamp.read_text() == signature:
                return
        except (OSError, UnicodeDecodeError):
            pass
        self.remove()
        folder.mkdir()
        write_whole(stamp, signature)

    def read(self, start: int) -> tuple[pa.Table, list[Broken]] | None:
        """A chunk, if it is there and its pictures are no newer."""
        import pyarrow.parquet as pq

        path = self._path(start)
        try:
            time = path.stat().st_mtime_ns
            table = pq.read_table(path, partitioning=None)
        except (OSError, pa.ArrowException):
            return None
        if self._work.changed_since(start, time):
            return None
        broken = json.loads((table.schema.metadata or {}).get(b"broken", b"[]"))
        return table.cast(self._work.schema), [Broken(*one) for one in broken]

    def write(self, start: int, table: pa.Table, broken: Sequence[Broken]) -> None:
        import pyarrow.parquet as pq

        noted = json.dumps([(one.uri, one.reason) for one in broken])
        with written_whole(self._path(start)) as file:
            pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), b"broken": noted}), file)

    def tables(self) -> Iterator[pa.Table]:
        import pyarrow.parquet as pq

        for start in range(0, self._work.total, CHUNK):
            yield pq.read_table(self._path(start), partitioning=None).cast(self._work.schema)

    def count(self) -> int:
        import pyarrow.parquet as pq

        starts = range(0, self._work.total, CHUNK)
        return sum(pq.read_metadata(self._path(start)).num_rows for start in starts)

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, start: int) -> Path:
        return self._folder / f"{start:010}.parquet"


def _write(path: Path, parts: _Parts, work: _Work, count: int) -> None:
    """The chunks as one file."""
    import pyarrow.parquet as pq

    if path.suffix.lower() == ".parquet":
        with written_whole(path) as file, pq.ParquetWriter(file, work.schema) as writer:
            for table in parts.tables():
                writer.write_table(table)
        return
    if path.suffix.lower() == ".csv":
        _write_csv(path, parts, [f"vector_{number}" for number in range(work.encoder.dim)])
        return
    _write_csv(path.with_suffix(".csv"), parts, [])
    with written_whole(path) as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, work.encoder.dim)}
        np.lib.format.write_array_header_1_0(file, header)
        for table in parts.tables():
            file.write(vectors_of(table).astype("<f4", copy=False).tobytes())


def _write_csv(path: Path, parts: _Parts, dimensions: Sequence[str]) -> None:
    """All columns but the vectors, and these in one column for each dimension if they are named."""
    import csv

    with written_whole(path, "w", newline="") as file:
        writer: Any = None
        for table in parts.tables():
            stated = table.drop_columns([VECTOR])
            if writer is None:
                writer = csv.writer(file)
                writer.writerow([*stated.column_names, *dimensions])
            vectors = vectors_of(table).tolist() if dimensions else [[]] * len(table)
            for row, numbers in zip(stated.to_pylist(), vectors, strict=True):
                writer.writerow([*(_cell(value) for value in row.values()), *numbers])


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
