"""Tables of the sets that are no tree of folders: path, label, and what else a recipe needs.

python recipes/tables.py emoji_ru_en DIR OUT.csv
"""

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator
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


ROWS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "emoji_ru_en": emoji_rows,
    "grocery_128": grocery_rows,
    "tuxpaint": tuxpaint_rows,
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
    rows = list(ROWS[name](data / name))
    if not rows:
        raise SystemExit(f"{data / name} holds no pictures: unpack the set there")
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return out


if __name__ == "__main__":
    write_table(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
