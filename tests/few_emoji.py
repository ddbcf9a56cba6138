"""A few of the demo's emoji, so that all of its steps run in seconds."""

import csv
from pathlib import Path

import pytest

from nearkin.tasks import emoji
from nearkin.tasks.demo import material
from nearkin.tasks.demo.material import as_drawn
from nearkin.tasks.demo.words import WORDS

# Shown by name, and how many others.
SHOWN, OTHERS = set("🐱🐶🦁🚗🚕🌳"), 60
PHOTOGRAPHED = 64


def use_few_emoji(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo sees two emoji of each of its words, those that it names, and some others; snapshots are of 64."""
    write_all = emoji.write_emoji_table

    def write_few(path: Path) -> Path:
        write_all(path)
        with path.open(encoding="utf-8", newline="") as file:
            columns, *rows = csv.reader(file)
        kept = SHOWN | {sign for word in WORDS for sign in word.right[:2]}
        named = {as_drawn(sign) for word in WORDS for sign in word.right}
        first = [row for row in rows if as_drawn(row[3]) in kept]
        plain = [row for row in rows if row[5] == "no" and as_drawn(row[3]) not in named | kept]
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([columns, *first, *plain[:: len(plain) // OTHERS][:OTHERS]])
        return path

    monkeypatch.setattr(emoji, "write_emoji_table", write_few)
    monkeypatch.setattr(material, "PHOTOGRAPHED", PHOTOGRAPHED)
