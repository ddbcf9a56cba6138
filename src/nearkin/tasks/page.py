"""An evaluation as a page: pictures are read again, made small, and written into one HTML file."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from nearkin.calibration.decisions import Calibration
from nearkin.data.decoding import decode
from nearkin.data.items import Picture
from nearkin.data.thumbnails import thumbnail_jpeg
from nearkin.encoders.embedder import Embedder
from nearkin.errors import PictureError
from nearkin.evaluation.report import Report
from nearkin.files import write_whole
from nearkin.report.diagnostics import diagnose
from nearkin.report.page import PageContent, render_page, shown_rows
from nearkin.tasks.embedded import Embedded

# Side of a thumbnail in pixels: sharp at the size that the page shows it.
SIDE = 128


def write_page(
    path: Path,
    report: Report,
    embedded: Embedded,
    encoder: Embedder,
    *,
    facts: Mapping[str, str] | None = None,
    baselines: bool = True,
    exclude_same: Int[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> Report:
    """Write the report as one self-contained HTML file.

    Args:
        path: of the file.
        report: the figures.
        embedded: the pictures that were evaluated.
        encoder: what was evaluated.
        facts: more of what was evaluated: seed, command, ...
        baselines: whether to draw raw pixels beside the encoder.
        exclude_same: groups of the pictures, as in `retrieval`.
        seed: of drawn pairs and of the map.

    Returns:
        The report with the numbers of the page as its diagnostics.

    Raises:
        OSError: the file cannot be written.
    """
    items = embedded.items
    label_ids, names = items.label_ids()
    diagnostics = diagnose(
        embedded.vectors,
        label_ids,
        names,
        raw=embedded.thumbnails if baselines else None,
        is_query=items.is_query,
        is_gallery=items.is_gallery,
        exclude_same=exclude_same,
        seed=seed,
    )
    rows = shown_rows(diagnostics)
    mapped = [point.row for point in diagnostics.map.points]
    content = PageContent(
        facts={"model": encoder.fingerprint, **_about(encoder), "data": items.source, **(facts or {})},
        diagnostics=diagnostics,
        calibration=_calibration(encoder),
        thumbnails={row: uri for row in rows if (uri := thumbnail_uri(items.pictures[row]))},
        captions={row: items.labels[row] or Path(items.uris[row]).name for row in {*rows, *mapped}},
        picture_names={row: items.uris[row] for row in rows},
    )
    write_whole(path, render_page(report, content))
    return replace(report, diagnostics={"pictures": list(items.uris), **diagnostics.to_dict()})


def thumbnail_uri(picture: Picture) -> str | None:
    """A small JPEG as a data URI; None if the picture has gone since."""
    try:
        image = decode(picture, hint=(SIDE, SIDE))
    except PictureError:
        return None
    return f"data:image/jpeg;base64,{b64encode(thumbnail_jpeg(image, SIDE, quality=82)).decode()}"


def _about(encoder: Embedder) -> dict[str, str]:
    size = encoder.preprocessing
    return {
        "embedding": f"{encoder.dim} dimensions, from pictures of {size.height} x {size.width} x {size.channels} pixels"
    }


def _calibration(encoder: Embedder) -> Calibration | None:
    """The encoder's calibration, if it is of these weights."""
    found = getattr(encoder, "calibration", None)
    return found if found is not None and found.fingerprint == encoder.fingerprint else None
