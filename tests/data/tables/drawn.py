"""Small pictures, and tables of them, for the tests of tables."""

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from nearkin.data.images import Preprocessing, stream_pixels
from nearkin.data.items import Items
from nearkin.data.sources import read_items

SMALL = Preprocessing(height=1, width=1, channels=1)


def encoded(grey: int, side: int = 2) -> bytes:
    file = BytesIO()
    Image.new("L", (side, side), grey).save(file, "PNG")
    return file.getvalue()


def items_of(folder: Path, content: str | bytes, name: str = "t.csv", **options: Any) -> Items:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_items(folder / name, **options)


def greys(items: Items) -> list[int]:
    batches = stream_pixels(items.pictures, SMALL, strict=True)
    return [int(grey) for batch in batches for grey in batch.pixels[:, 0, 0, 0]]
