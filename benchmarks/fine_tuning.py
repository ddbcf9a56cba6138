"""Photos fine-tuned from a start, against the frozen start, on classes that training and choice never saw.

    python benchmarks/fine_tuning.py --data DIR [--out runs/fine_tuning] [--epochs 2] [--size 128] [--folds 5] [SET ...]

DIR holds the unpacked sets: caltech101_128, grocery_128, lfw90_folds1-5, tuxpaint. Five folds of the classes: one is
tested on, one chooses epoch, strength and share, three are trained on by `nearkin train` with its own defaults. A class
is tested once, or never if `--folds` is less than 5. All answer the same queries at the same picture size: the frozen
start, the start with what the epochs begin with as projection, the best epoch, and the model that the training kept.
Intervals draw whole classes; the difference is that of the kept model to the frozen start. `grocery` is also asked as a
shop would: its official test pictures ask, the others answer. `--epochs 0` measures what the fitted projection alone
brings.

Runs that are finished are not repeated, so a benchmark that was stopped goes on. Prints a Markdown table; exits with 1
if a difference lies below 0 with its whole interval.
"""

import argparse
import copy
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "recipes"))
from tables import write_table

import nearkin
from nearkin.cli.commands.train import epoch_line
from nearkin.data.folds import class_folds, hold_out
from nearkin.data.items import Items
from nearkin.encoders.encoder import Encoder
from nearkin.evaluation.metrics.retrieval import score_queries
from nearkin.intervals.paired_samples import Mean
from nearkin.tasks.frozen_backbone import frozen_backbone
from nearkin.training.run_folder import BEST
from nearkin.training.run_folder import START as STARTED

FOLDS = 5
METRICS = ("recall@1", "map@r")
SETS = ("caltech101", "grocery", "lfw", "tuxpaint")
START = "lite0"
COLUMNS = {
    "start": "frozen start",
    "projection": "with the fitted projection",
    "tuned": "best epoch",
    "trained": "kept",
}


def read(name: str, data: Path, out: Path) -> tuple[Items, np.ndarray]:
    """The pictures of a set with labels, and which of them are its official test pictures."""
    if name == "caltech101":
        items = nearkin.read_items(data / "caltech101_128")
    elif name == "lfw":
        items = nearkin.read_items(data / "lfw90_folds1-5" / "lfw")
        pictures = Counter(items.labels)
        items = items.select([row for row, label in enumerate(items.labels) if pictures[label] > 1])
    else:
        items = nearkin.read_items(write_table({"grocery": "grocery_128"}.get(name, name), data, out / f"{name}.csv"))
    return items, np.array([split == "test" for split in items.splits])


def fold_scores(items: Items, official: np.ndarray, fold: np.ndarray, number: int, out: Path, options: Any) -> Path:
    """Train without a fold's classes, ask with their pictures; what each query scored, as .npz."""
    folder = out / f"fold{number}"
    if (folder / "scores.npz").exists():
        return folder / "scores.npz"
    split = hold_out(items, fold, number)
    settings = {
        name: value for name, value in (("epochs", options.epochs), ("size", options.size)) if value is not None
    }
    begun = (folder / "settings.yaml").exists()
    encoder = nearkin.train(
        split,
        out=folder,
        resume=begun,
        on_epoch=lambda summary: print(epoch_line(summary), file=sys.stderr, flush=True),
        on_message=lambda line: print(line, file=sys.stderr, flush=True),
        **({} if begun else {"weights": START, "threads": options.threads, **settings}),
    )
    rows = np.flatnonzero(fold == number)
    test, ids = items.select(rows), items.label_ids()[0][rows]
    found: dict[str, np.ndarray] = {}
    for model, one in stages(encoder, folder):
        vectors = one.embed_images(list(test.pictures))
        for metric, values in score_queries(vectors, ids).values.items():
            found[f"{model}/{metric}"] = values
        found["classes"] = score_queries(vectors, ids).labels
        asks = official[rows]
        if asks.any():
            shop = score_queries(vectors, ids, is_query=asks, is_gallery=~asks)
            found[f"{model}/shop recall@1"], found["shop classes"] = shop.values["recall@1"], shop.labels
    np.savez(folder / "scores.npz", **found)
    return folder / "scores.npz"


def stages(encoder: Encoder, folder: Path) -> Iterator[tuple[str, Encoder]]:
    """The models to compare, by the columns of the table."""
    frozen = frozen_backbone(encoder, START)
    assert isinstance(frozen, Encoder)
    yield "start", frozen
    one = copy.deepcopy(encoder)
    one.load_state_dict(torch.load(folder / STARTED, weights_only=True)["begun"])
    yield "projection", one
    if (folder / BEST).exists():
        one.load_state_dict(torch.load(folder / BEST, weights_only=True))
    yield "tuned", one
    yield "trained", encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=[*SETS, []], metavar="SET", help=f"of {', '.join(SETS)} [all]")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/fine_tuning"))
    parser.add_argument("--epochs", type=int, help="instead of the default")
    parser.add_argument("--size", type=int, help="of the pictures in pixels, instead of the default")
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the five are tested on [5]")
    parser.add_argument("--threads", type=int, help="instead of whichever is fastest")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"| set | figure | {' | '.join(COLUMNS.values())} | difference |\n{'|---' * 7}|", flush=True)
    worse = 0
    for name in options.sets or SETS:
        items, official = read(name, options.data, options.out)
        fold = class_folds(items, FOLDS)
        files = [
            np.load(fold_scores(items, official, fold, number, options.out / name, options))
            for number in range(options.folds)
        ]
        for metric in (*METRICS, "shop recall@1"):
            if f"start/{metric}" not in files[0]:
                continue
            groups = np.concatenate([file["shop classes" if "shop" in metric else "classes"] for file in files])
            means = {
                model: Mean(np.concatenate([file[f"{model}/{metric}"] for file in files]), groups) for model in COLUMNS
            }
            difference = means["trained"].minus(means["start"])
            worse += difference.high < 0
            cells = [percent(one) for one in (*(mean.figure() for mean in means.values()), difference)]
            print(f"| {name} | {metric} | {' | '.join(cells)} |", flush=True)
    sys.exit(1 if worse else 0)


def percent(figure: Any) -> str:
    """A figure and its interval, in percent."""
    return f"{100 * figure.value:.1f} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


if __name__ == "__main__":
    main()
