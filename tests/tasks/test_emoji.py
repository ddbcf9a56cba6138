"""The demo's data: names in two languages, and variants of an emoji on one side."""

from pathlib import Path

import pytest

from nearkin.data.sources import read_items
from nearkin.tasks.emoji import base_emoji, without_skin_tones, write_emoji_table


@pytest.mark.parametrize(
    ("variants", "base"),
    [
        (["👋", "👋🏻", "👋🏿"], "👋"),
        (["👩‍🚀", "👨🏽‍🚀", "🧑‍🚀"], "🧑🚀"),
        (["🏃", "🏃‍♀️", "🏃🏾‍♂️‍➡️"], "🏃"),
        (["❤️"], "❤"),
        (["🇷🇺"], "🇷🇺"),
        (["♀️"], "♀️"),
    ],
)
def test_variants_share_their_base(variants: list[str], base: str) -> None:
    assert {base_emoji(variant) for variant in variants} == {base}


def test_table(tmp_path: Path) -> None:
    pictures = read_items(write_emoji_table(tmp_path / "demo" / "emoji.csv"))
    assert len(pictures) > 3500
    assert all(len(texts) == 2 for texts in pictures.captions[:50])
    heart = pictures.column("emoji").index("❤️")
    assert pictures.captions[heart] == ("red heart", "алое сердце")
    assert Path(pictures.uris[heart]).is_file()
    plain = without_skin_tones(pictures)
    assert len(pictures) / 3 < len(plain) < len(pictures)
    assert not any("skin tone" in texts[0] for texts in plain.captions)
