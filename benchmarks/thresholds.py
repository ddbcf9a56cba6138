"""Do thresholds hold on other people, and how well does a model that was trained on LFW tell people apart?

Thresholds: people that the model was not trained on are cut in half at random, 20 times; a calibration is made on one
half, and its thresholds are used on the other. Counted is how often the false accept rate there lies in the interval
that the calibration stated.

Accuracy: the pairs of LFW's fold 5, none of whose people were trained on. The threshold is the one with the greatest
tar - far on the held-out people of the training, so that nothing of fold 5 is used.

    python benchmarks/thresholds.py --data lfw90_folds1-5 --write-table people.csv
    nearkin train people.csv --settings lfw.yaml --out runs/lfw
    python benchmarks/thresholds.py --data lfw90_folds1-5 --model runs/lfw

Without a model, raw pixels are calibrated: the thresholds have to hold for them too.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

import numpy as np

from nearkin.arrays import unit
from nearkin.calibration.error_curve import error_curve
from nearkin.calibration.fit import fit_calibration
from nearkin.data.images import Preprocessing, stream_pixels
from nearkin.data.items import Items
from nearkin.data.pairs import Pairs
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.evaluation.metrics.verification import verification
from nearkin.intervals.dyadic import MeanOverPairs

FOLD = 600  # pairs in a fold of LFW
SPLITS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with lfw/ and pairs.txt")
    parser.add_argument("--model", help="trained without the people of fold 5")
    parser.add_argument("--write-table", type=Path, help="write the pictures to train on, and stop")
    options = parser.parse_args()
    items = read_items(options.data / "lfw")
    if options.write_table:
        write_table(items, options.data, options.write_table)
        return
    encoder = Encoder.from_pretrained(options.model) if options.model else None
    vectors = embed(items, encoder)
    ids, names = items.label_ids()
    unseen = np.ones(len(ids), dtype=bool)
    if encoder is not None:
        assert encoder.training_hashes is not None
        unseen = ~encoder.training_hashes.knows_classes(names)[ids]
    print(
        f"{encoder.fingerprint if encoder else 'raw pixels'}: {len(set(ids[unseen].tolist())):,} people not trained on"
    )
    thresholds(vectors[unseen], ids[unseen])
    if encoder is not None:
        accuracy(encoder, options.data, {Path(uri).stem: row for row, uri in enumerate(items.uris)}, vectors, ids)


def fold_5(data: Path) -> list:
    return list(Pairs(data / "pairs.txt"))[4 * FOLD : 5 * FOLD]


def write_table(items: Items, data: Path, path: Path) -> None:
    """People with two pictures or more, but for everyone in a pair of fold 5."""
    left_out = {Path(name).parent.name for pair in fold_5(data) for name in (pair.a, pair.b)}
    counts = Counter(items.labels)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows(
            (uri, label)
            for uri, label in zip(items.uris, items.labels, strict=True)
            if label not in left_out and counts[label] >= 2
        )


def embed(items: Items, encoder: Encoder | None) -> np.ndarray:
    preprocessing = encoder.preprocessing if encoder else Preprocessing(64, 64, 3)
    batches = stream_pixels(items.pictures, preprocessing, strict=True)
    return unit(np.concatenate([encoder.embed_pixels(b.pixels) if encoder else raw_pixels(b.pixels) for b in batches]))


def thresholds(vectors: np.ndarray, ids: np.ndarray) -> None:
    people = np.unique(ids)
    rows: dict[float, list] = {}
    for seed in range(SPLITS):
        half = np.isin(ids, np.random.default_rng(seed).permutation(people)[: len(people) // 2])
        calibration = fit_calibration(vectors[half], ids[half], fingerprint="f", method="logistic", seed=seed)
        other = error_curve(vectors[~half], ids[~half])
        for limit in map(calibration.threshold, calibration.fars):
            far, tar = (float(np.interp(limit.score, other.scores, column)) for column in (other.far, other.tar))
            held = limit.far_low <= far <= limit.far_high, limit.tar_low <= tar <= limit.tar_high
            rows.setdefault(limit.far, []).append((*held, far / limit.far, limit.far_low, limit.far_high, tar))
    print(f"{SPLITS} splits in half, {len(people) // 2:,} people each")
    print(
        "| far allowed | splits that held the stated interval | stated interval (mean) | achieved / allowed, range |"
        " tar (mean) | its interval held |"
    )
    print("|---|---|---|---|---|---|")
    for far, found in rows.items():
        held, tar_held, ratio, low, high, tar = np.array(found, dtype=float).T
        print(
            f"| {far:g} | {held.sum():.0f} of {len(found)} | {low.mean():.2g} to {high.mean():.2g} | "
            f"{ratio.min():.2f} to {ratio.max():.2f} | {100 * tar.mean():.1f} % | "
            f"{tar_held.sum():.0f} of {len(found)} |"
        )  # fmt: skip


def accuracy(encoder: Encoder, data: Path, row_of: dict[str, int], vectors: np.ndarray, ids: np.ndarray) -> None:
    curve = encoder.checked_calibration().curve
    score = curve.scores[int(np.argmax(np.array(curve.tar) - np.array(curve.far)))]
    pairs = fold_5(data)
    rows = np.array([[row_of[Path(name).stem] for name in (pair.a, pair.b)] for pair in pairs])
    same = np.array([pair.same for pair in pairs])
    scores = np.einsum("nd,nd->n", vectors[rows[:, 0]], vectors[rows[:, 1]]).astype(np.float64)
    right = ((scores >= score) == same).astype(float)
    value = float(right.mean())
    figure = MeanOverPairs(value, (right - value) / len(right), ids[rows], independent=FOLD / 2, n=FOLD).figure()
    assert figure.low is not None
    assert figure.high is not None
    print(f"fold 5: accuracy {100 * value:.1f} % [{100 * figure.low:.1f}, {100 * figure.high:.1f}] at {score:.3f}")
    for name, one in verification(scores, same, classes=ids[rows]).items():
        print(f"  {name} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]")


if __name__ == "__main__":
    main()
