"""Rerun recipes: train by their settings, judge by their protocol, and check the figure against its band.

    python recipes/run.py --data DIR [--out runs/recipes] [--fold 1] [--epochs 15] [NAME ...]

DIR holds the unpacked sets. A recipe that was stopped goes on; one that is trained is judged again. `--fold` holds out
another fold of LFW's people than the recipe does, and trains into a folder of its own, `lfw_fold1`; `--epochs` trains
for longer or shorter. A recipe with a `start` trains nothing. The exit code is 1 if a figure lies outside of its band.
"""

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from judges import JUDGES, read_fold
from tables import ROWS, write_class_table, write_table

import nearkin
from nearkin.cli.commands.train import epoch_line
from nearkin.data.folds import class_folds, hold_out
from nearkin.data.items import Items
from nearkin.data.pairs import Pairs
from nearkin.training.run_folder import read_metrics

FOLDER = Path(__file__).parent
HELD_OUT = "held out"
# The set marks the pictures to judge by itself.
OWN = "own"


def main() -> None:
    known = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*known, []], metavar="NAME", help=f"of {', '.join(known)} [all]")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--fold", type=int, help="of LFW's pairs, instead of the recipe's")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    arguments = parser.parse_args()
    outside = 0
    for name in arguments.names or known:
        recipe = yaml.safe_load(known[name].read_text(encoding="utf-8"))
        if arguments.epochs is not None and "train" in recipe:
            recipe["train"]["epochs"] = arguments.epochs
        if arguments.fold is not None and "fold" in recipe["split"]:
            name, recipe = f"{name}_fold{arguments.fold}", with_fold(recipe, arguments.fold)
        line, is_inside = run(name, recipe, arguments.data, arguments.out)
        print(line, flush=True)
        outside += not is_inside
    sys.exit(1 if outside else 0)


def run(name: str, recipe: dict[str, Any], data: Path, out: Path) -> tuple[str, bool]:
    """A line that says how the recipe did, and whether the figure lies in its band."""
    items = with_splits(read(recipe, data, out), recipe, data)
    if "start" in recipe:
        encoder = nearkin.Encoder.from_pretrained(recipe["start"])
        return verdict(name, recipe, judged(recipe["judge"], encoder, items, data), "not trained")
    folder = out / name
    settings = dict(recipe["train"])
    if "attributes" in recipe:
        table = write_class_table(recipe["data"], data, out / f"{recipe['data']}_{recipe['attributes']}.csv")
        settings |= {"attributes": str(table), "attribute_columns": (recipe["attributes"],)}
    begun = (folder / "settings.yaml").exists()
    encoder = nearkin.train(
        items,
        out=folder,
        resume=begun,
        on_epoch=lambda summary: print(epoch_line(summary), file=sys.stderr, flush=True),
        **({} if begun else settings),
    )
    protocol = dict(recipe["judge"])
    if "attributes" in recipe:
        # Pictures of the classes trained on as well, from which the baseline goes by the nearest one.
        test = items.select([row for row, split in enumerate(items.splits) if split != "val"])
        protocol["attributes"] = settings["attributes"]
    elif recipe["split"] == HELD_OUT:
        test = nearkin.read_items(folder / "validation.csv")
    else:
        test = items.select([row for row, split in enumerate(items.splits) if split == "test"])
    seconds = float(read_metrics(folder / "metrics.csv")[-1]["seconds"])
    return verdict(name, recipe, judged(protocol, encoder, test, data), f"trained for {seconds:.0f} s")


def judged(protocol: dict[str, Any], encoder: nearkin.Encoder, test: Items, data: Path) -> tuple[float, float]:
    """The figure by a protocol, and that of raw pixels."""
    options = dict(protocol)
    return JUDGES[options.pop("protocol")](encoder, test, data, **options)


def verdict(name: str, recipe: dict[str, Any], figures: tuple[float, float], trained: str) -> tuple[str, bool]:
    """The line, and whether the figure lies in its band."""
    (figure, baseline), (low, high) = figures, recipe["band"]
    is_inside = low <= figure <= high
    return (
        f"{name}: {recipe['figure']} {100 * figure:.1f} % "
        f"({recipe.get('baseline', 'raw pixels')} {100 * baseline:.1f} %), "
        f"{'inside' if is_inside else 'OUTSIDE'} of {100 * low:g} to {100 * high:g} %, "
        f"expected {100 * recipe['expected']:g} %; {trained}"
    ), is_inside


def with_fold(recipe: dict[str, Any], fold: int) -> dict[str, Any]:
    """The recipe with another fold's people held out."""
    figure = recipe["figure"].replace(f"fold {recipe['split']['fold']}", f"fold {fold}")
    split, judge = recipe["split"] | {"fold": fold}, recipe["judge"] | {"fold": fold}
    return recipe | {"split": split, "judge": judge, "figure": figure}


def read(recipe: dict[str, Any], data: Path, out: Path) -> Items:
    """The recipe's pictures, all of them."""
    if recipe["data"] in ROWS:
        return nearkin.read_items(write_table(recipe["data"], data, out / f"{recipe['data']}.csv"))
    return nearkin.read_items(data / recipe["data"], label=recipe.get("label"))


def with_splits(items: Items, recipe: dict[str, Any], data: Path) -> Items:
    """Some classes to learn from, some to choose the epoch by, some to judge by.

    `folds` of the classes, of which the first judges and the second chooses (what the training holds out of the others
    does, with `choose: held out`); or `pairs`, a file of which one fold's people judge; those with one picture teach
    nothing and are left out; without a `fold`, all pictures of the pairs judge, and no others take part; or "held out":
    what the training holds out judges, which is fair where `validate_every` leaves only the last epoch to choose; or
    "own": the set's own test pictures.
    """
    split = recipe["split"]
    if split in (HELD_OUT, OWN):
        return items
    if "folds" in split:
        folds = class_folds(items, split["folds"], by=split.get("by"))
        if split.get("choose") == HELD_OUT:
            return replace(items, splits=tuple("test" if fold == 0 else None for fold in folds))
        return hold_out(items, folds, 0)
    if "fold" not in split:
        named = {Path(name).stem for pair in Pairs(data / split["pairs"]) for name in (pair.a, pair.b)}
        items = items.select([row for row, uri in enumerate(items.uris) if Path(uri).stem in named])
        return replace(items, splits=("test",) * len(items))
    people = {word for words in read_fold(data / split["pairs"], split["fold"]) for word in words}
    pictures = Counter(items.labels)
    rows = [row for row, label in enumerate(items.labels) if label in people or pictures[label] > 1]
    items = items.select(rows)
    return replace(items, splits=tuple("test" if label in people else None for label in items.labels))


if __name__ == "__main__":
    main()
