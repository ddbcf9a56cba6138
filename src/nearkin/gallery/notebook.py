"""Items and hits as HTML for notebooks: small pictures, with what is known of them below; nothing is fetched."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

# Pictures that are shown, and bytes that their thumbnails may take together: a notebook is saved with its outputs.
MOST, MOST_BYTES = 50, 2_000_000

_CELL = "display:inline-block;width:112px;margin:4px;vertical-align:top;font-size:11px;overflow-wrap:anywhere"
_PICTURE = "height:96px;display:flex;align-items:center;justify-content:center;background:#f2f2f2;color:#666"


def as_html(shown: Sequence[Any]) -> str:
    """Items or hits, one cell each: thumbnail, score, label, captions or the name of the file; the uri as a tooltip.

    Example:
        >>> as_html([])
        '<div>no hits</div>'
    """
    if not len(shown):
        return "<div>no hits</div>"
    left, cells = MOST_BYTES, []
    for one in islice(shown, MOST):
        thumbnail = one._thumbnail and one._thumbnail()
        if thumbnail is not None and len(thumbnail) > left:
            thumbnail = None
        left -= len(thumbnail or b"")
        cells.append(_cell(one, thumbnail))
    more = f"<div>and {len(shown) - MOST:,} more</div>" if len(shown) > MOST else ""
    return f"<div>{''.join(cells)}{more}</div>"


def _cell(one: Any, thumbnail: bytes | None) -> str:
    score = f"{one.score:.3f} " if hasattr(one, "score") else ""
    words = " · ".join(filter(None, (one.label, *one.captions))) or Path(one.uri).name
    picture = "no picture"
    if thumbnail is not None:
        kind = "png" if thumbnail.startswith(b"\x89PNG") else "webp" if thumbnail[8:12] == b"WEBP" else "jpeg"
        picture = f'<img src="data:image/{kind};base64,{b64encode(thumbnail).decode()}" style="max-height:96px">'
    return (
        f'<div style="{_CELL}" title="{escape(one.uri)}"><div style="{_PICTURE}">{picture}</div>'
        f"<b>{score}</b>#{one.id} {escape(words)}</div>"
    )
