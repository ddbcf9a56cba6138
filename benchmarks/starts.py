"""Starts as they come, against raw pixels, and whitened on the same pictures without labels.

    python benchmarks/starts.py --data DIR [--out runs/starts] [--starts lite0 ...] [--most 1000] [--choose] [SET ...]

DIR holds the unpacked sets: caltech101_128, grocery_128, lfw90_folds1-5, tuxpaint. Of each set at most 12 pictures a
class, evenly spaced, and of so many classes, drawn at random, as `--most` pictures hold. Each asks for others of
its class among them; no start has seen these labels. Pictures have the start's own size. A difference is that of the
same queries, and its interval draws or leaves out whole classes.

`--choose` shows instead what the shrinkage and the power of the whitening do to recall@1, for the first start. On
caltech101 and grocery they were chosen so; the other sets had no say.

Features are kept in `--out`, so that a benchmark that was stopped goes on. Prints a Markdown table.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fine_tuning import SETS, percent, read

import nearkin
from nearkin.data.items import Items
from nearkin.data.streaming import stream_pixels
from nearkin.encoders.encoder import Encoder, as_pictures
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.encoders.whitening import whitening
from nearkin.evaluation.metrics.retrieval import measure_retrieval, retrieval

STARTS = ("lite0", "lite1", "lite2", "lite012")
METRICS = ("recall@1", "map@r")
PER_CLASS = 12
SHRINKAGES, POWERS = (0.0, 0.1, 0.2, 0.5, 0.8), (0.0, 0.25, 0.5)


def some(items: Items, most: int) -> Items:
    """Pictures of a set: at most 12 a class, of classes in random order until there are `most`; none of one picture."""
    ids, classes = items.label_ids()
    rows: list[int] = []
    for number in np.random.default_rng(0).permutation(len(classes)):
        own = np.flatnonzero(ids == number)
        if len(own) > 1 and len(rows) < most:
            rows.extend(own[np.unique(np.linspace(0, len(own) - 1, min(PER_CLASS, len(own))).astype(int))])
    return items.select(sorted(rows))


def features(start: str, items: Items, path: Path) -> dict[str, np.ndarray]:
    """Vectors of the start before they get unit length, raw pixels, and class ids; kept as .npz."""
    if not path.exists():
        encoder = nearkin.Encoder.from_pretrained(start)
        assert isinstance(encoder, Encoder)
        vectors, raw = [], []
        for batch in stream_pixels(items.pictures, encoder.preprocessing, batch_size=64, strict=True):
            with torch.inference_mode():
                pixels = encoder.normalise(as_pictures(torch.from_numpy(batch.pixels)))
                vectors.append(encoder.image(pixels).float().numpy())
            raw.append(raw_pixels(batch.pixels))
        labels = items.label_ids()[0]
        np.savez(path, vectors=np.concatenate(vectors), raw=np.concatenate(raw), labels=labels)
    return dict(np.load(path))


def whitened(vectors: np.ndarray, **options: float) -> np.ndarray:
    """The vectors, whitened by themselves."""
    mean, matrix = whitening([torch.from_numpy(vectors)], **options)
    return (vectors - mean.numpy()) @ matrix.numpy().T


def compare(name: str, start: str, found: dict[str, np.ndarray], *, with_raw: bool) -> None:
    """Print the row of a start, and before the first that of raw pixels."""
    labels = found["labels"]
    if with_raw:
        raw = measure_retrieval(found["raw"], labels)
        shown = f"{len(labels):,} pictures, {len(np.unique(labels))} classes"
        print(f"| {name}: {shown} | raw pixels |" + "".join(f" {percent(raw[one].figure())} | | |" for one in METRICS))
    plain, white = (measure_retrieval(one, labels) for one in (found["vectors"], whitened(found["vectors"])))
    cells: list[Any] = []
    for metric in METRICS:
        cells += [plain[metric].figure(), white[metric].figure(), white[metric].minus(plain[metric])]
    print(f"| {name} | {start} | {' | '.join(map(percent, cells))} |", flush=True)


def choose(name: str, found: dict[str, np.ndarray]) -> None:
    """Print recall@1 by shrinkage and power."""
    plain = retrieval(found["vectors"], found["labels"])["recall@1"].value
    print(f"\n{name}, as it comes: {100 * plain:.1f}\n\n| shrinkage | power {' | '.join(map(str, POWERS))} |")
    print("|---" * (1 + len(POWERS)) + "|")
    for shrinkage in SHRINKAGES:
        values = [
            retrieval(whitened(found["vectors"], shrinkage=shrinkage, power=power), found["labels"])["recall@1"].value
            for power in POWERS
        ]
        print(f"| {shrinkage} | {' | '.join(f'{100 * value:.1f}' for value in values)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=[*SETS, []], metavar="SET", help=f"of {', '.join(SETS)} [all]")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/starts"))
    parser.add_argument("--starts", nargs="+", default=STARTS, help=f"[{' '.join(STARTS)}]")
    parser.add_argument("--most", type=int, default=1000, help="pictures of a set")
    parser.add_argument("--choose", action="store_true", help="try shrinkages and powers of the whitening")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sets = {name: some(read(name, options.data, options.out)[0], options.most) for name in options.sets or SETS}
    if not options.choose:
        header = [f"{metric} | whitened | difference" for metric in METRICS]
        print(f"| set | start | {' | '.join(header)} |\n|---|---|---|---|---|---|---|---|", flush=True)
    for name, items in sets.items():
        for number, start in enumerate(options.starts):
            found = features(start, items, options.out / f"{name}_{start}_{options.most}.npz")
            if options.choose:
                choose(f"{name}, {start}", found)
                break
            compare(name, start, found, with_raw=number == 0)


if __name__ == "__main__":
    main()
