"""Tables of the sets that are no tree of folders: path, label, and what else a recipe needs.

python recipes/tables.py emoji_ru_en DIR OUT.csv
"""

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

from nearkin.tasks.emoji import base_emoji

VENDORS = ("google", "twitter", "fluent3d")

Row = dict[str, str]


def emoji_rows(root: Path) -> Iterator[Row]:
    """An emoji is a class of a picture by each vendor; variants by gender, hair or skin share `base`."""
    with (root / "captions.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            base = base_emoji("".join(chr(int(code, 16)) for code in row["id"].split("-")))
            for vendor in VENDORS:
                path = root / vendor / f"{row['id']}.png"
                if path.exists():
                    yield {"path": str(path.resolve()), "label": row["id"], "base": base, "vendor": vendor}


def grocery_rows(root: Path) -> Iterator[Row]:
    """A class is the innermost folder; the set's own test pictures are marked as such."""
    for split in ("train", "val", "test"):
        for path in sorted((root / split).rglob("*.jpg")):
            yield {"path": str(path.resolve()), "label": path.parent.name, "split": "test" if split == "test" else ""}


def tuxpaint_rows(root: Path) -> Iterator[Row]:
    """A class is a category, such as animals/birds; those of one picture are left out."""
    with (root / "captions.tsv").open(newline="", encoding="utf-8") as file:
        rows = [
            ("/".join(row["path"].split("/")[:-1][:2]), row["file"]) for row in csv.DictReader(file, delimiter="\t")
        ]
    pictures = Counter(label for label, _ in rows)
    for label, name in rows:
        if pictures[label] > 1:
            yield {"path": str((root / "images" / name).resolve()), "label": label}


def flickr_rows(root: Path) -> Iterator[Row]:
    """A picture has five captions, in a row each; the set's own dev pictures are marked as test."""
    with (root / "captions.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            split = {"dev": "test"}.get(row["split"], "")
            path = root / "images" / row["image"]
            yield {"path": str(path.resolve()), "caption_en": row["caption"], "split": split}


def emoji_words_rows(root: Path) -> Iterator[Row]:
    """A picture by each vendor of each emoji, with its names in two languages, and then its keywords, in a row each."""
    with (root / "captions.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            base = base_emoji("".join(chr(int(code, 16)) for code in row["id"].split("-")))
            names = [(row["name_en"], row["name_ru"])]
            keywords = (row[f"keywords_{language}"].split("|") for language in ("en", "ru"))
            for vendor in VENDORS:
                path = root / vendor / f"{row['id']}.png"
                for en, ru in [*names, *zip_longest(*keywords, fillvalue="")] if path.exists() else []:
                    captions = {"caption_en": en, "caption_ru": ru}
                    yield {"path": str(path.resolve()), **captions, "label": row["id"], "base": base, "vendor": vendor}


def tuxpaint_words_rows(root: Path) -> Iterator[Row]:
    """A stamp and what it shows, in English and in Russian."""
    with (root / "captions.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            captions = {name: row[name] for name in ("caption_en", "caption_ru")}
            yield {"path": str((root / "images" / row["file"]).resolve()), **captions}


# By folder, and by the table that is wanted of it: labels, or captions.
ROWS: dict[str, tuple[str, Callable[[Path], Iterator[Row]]]] = {
    "emoji_ru_en": ("emoji_ru_en", emoji_rows),
    "emoji_words": ("emoji_ru_en", emoji_words_rows),
    "flickr8k_128": ("flickr8k_128", flickr_rows),
    "grocery_128": ("grocery_128", grocery_rows),
    "tuxpaint": ("tuxpaint", tuxpaint_rows),
    "tuxpaint_words": ("tuxpaint", tuxpaint_words_rows),
}


def write_class_table(name: str, data: Path, out: Path) -> Path:
    """Write the table of a set's classes, with what its `captions.tsv` says of each; the table's path."""
    with (data / name / "captions.tsv").open(newline="", encoding="utf-8") as file:
        rows = [{"label": row.pop("id"), **row} for row in csv.DictReader(file, delimiter="\t")]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return out


def write_table(name: str, data: Path, out: Path) -> Path:
    """Write the table of a set that lies in the folder `data`; the table's path."""
    folder, read = ROWS[name]
    rows = list(read(data / folder))
    if not rows:
        raise SystemExit(f"{data / folder} holds no pictures: unpack the set there")
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return out


if __name__ == "__main__":
    write_table(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
