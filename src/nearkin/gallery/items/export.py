"""A gallery as a Parquet file."""

from pathlib import Path

import pyarrow as pa

from nearkin.errors import InvalidInput
from nearkin.files import written_whole
from nearkin.gallery.items.columns import THUMBNAIL, VECTOR, shown_names
from nearkin.gallery.items.store import Snapshot
from nearkin.progress import Progress

# Names that promise what is not written.
_OTHERS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".npy", ".npz", ".xlsx")


def export_parquet(
    snapshot: Snapshot, path: Path, where: str | None, *, vectors: bool, thumbnails: bool, progress: Progress | None
) -> int:
    """Write items into a file, which is there completely or not at all; see `Gallery.export`."""
    # Loaded here: galleries are opened more often than they are exported.
    import pyarrow.parquet as pq

    if path.suffix.lower() in _OTHERS:
        raise InvalidInput(f"cannot write '{path}': an export is a Parquet file: expected a name such as items.parquet")
    if not path.name:
        raise InvalidInput(f"cannot write '{path}': expected the name of a Parquet file, such as items.parquet")
    if not path.parent.is_dir():
        raise InvalidInput(f"cannot write '{path}': there is no folder '{path.parent}'")
    columns = {name: name for name in shown_names(snapshot.schema)}
    if vectors:
        columns[snapshot.vector_column] = VECTOR
    if thumbnails:
        columns[THUMBNAIL] = THUMBNAIL
    # Without what is of the gallery alone.
    schema = pa.schema([snapshot.schema.field(name).with_name(new).remove_metadata() for name, new in columns.items()])
    total, done = len(snapshot), 0
    try:
        with written_whole(path) as file, pq.ParquetWriter(file, schema) as writer:
            for batch in snapshot.batches(list(columns), where):
                writer.write_batch(pa.record_batch(batch.columns, schema=schema))
                done += len(batch)
                if progress:
                    progress(done, total)
    except OSError as error:
        raise InvalidInput(f"cannot write '{path}': {error.strerror or error}") from error
    if progress:
        progress(total, total)
    return done
