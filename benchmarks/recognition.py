"""Recognition: how fast, how well, and whether a promised rate of named strangers is kept.

    python benchmarks/recognition.py speed [--classes 10000]
    python benchmarks/recognition.py promise VECTORS.parquet --classes 10 100 1440 [--strangers 300] [--splits 20]
    python benchmarks/recognition.py scorers VECTORS.parquet --known 100 --enrolled 1 2 5
    python benchmarks/recognition.py icons PHOTOS.parquet ICONS.parquet

Vectors are what `nearkin embed MODEL DATA --out VECTORS.parquet` writes. The class of a picture is its folder, or its
file's name (`--class-of file`, for emoji). Pictures of classes that the model was trained on are left out by `--without
train.csv validation.csv` of its run folder.

`speed` draws classes of ten pictures. `promise` draws known classes and strangers, enrols a picture of each known class
(or `--enrolled`), and asks whether the rate that another group of as many strangers reaches lies within the stated
interval. With `--strangers` the recognizer is given so many pictures of strangers, of others than those it is judged
by. `scorers` compares ways to score: the share that is named rightly at the threshold that the strangers themselves
give. `icons` enrols the icon picture, photos, or both, of each class of the Grocery Store data.
"""

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from nearkin.errors import InvalidInput
from nearkin.intervals.bootstrap import bootstrap_mean
from nearkin.recognition.examples import Examples
from nearkin.recognition.recognizer import Recognizer, Strangers
from nearkin.recognition.scorer import SCORERS

RATES = (0.1, 0.01)
# Further pictures of each known class that are asked.
_ASKED = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "promise", "scorers", "icons"])
    parser.add_argument("vectors", nargs="*")
    parser.add_argument("--class-of", choices=["folder", "file"], default="folder")
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--classes", nargs="*", type=int, default=[10_000])
    parser.add_argument("--known", type=int, default=100)
    parser.add_argument("--enrolled", nargs="*", type=int, default=[1])
    parser.add_argument("--strangers", type=int, default=0)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--scorer", nargs="*", default=["linear"])
    given = parser.parse_args()
    if given.what == "speed":
        for classes in given.classes:
            for scorer in given.scorer:
                speed(classes, scorer)
        return
    vectors, labels, source = load(given.vectors, given.without, given.class_of)
    if given.what == "promise":
        print("| classes | enrolled | strangers given | promised | stated | reached | within |")
        print("|---|---|---|---|---|---|---|")
        for classes in given.classes:
            for enrolled in given.enrolled:
                for scorer in given.scorer:
                    promise(vectors, labels, classes, enrolled, given.strangers, given.splits, scorer)
    elif given.what == "scorers":
        print("| enrolled | way to score | accuracy | TPIR at 10 % | TPIR at 1 % |\n|---|---|---|---|---|")
        for enrolled in given.enrolled:
            for scorer in SCORERS.names:
                compare(vectors, labels, given.known, enrolled, given.splits, scorer)
    else:
        icons(vectors, labels, source == 1, given.splits)


def load(files: list[str], without: list[str], class_of: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors, class ids and numbers of files, for pictures of classes that the model has not seen."""

    def name(path: str) -> str:
        return Path(path).stem if class_of == "file" else Path(path).parent.name

    seen = set()
    for file in without:
        with Path(file).open(encoding="utf-8") as rows:
            seen |= {name(row["path"]) for row in csv.DictReader(rows)}
    tables = [pq.read_table(file, columns=["path", "vector"]) for file in files]
    names = np.array([name(path) for table in tables for path in table["path"].to_pylist()])
    vectors = np.concatenate([np.stack(table["vector"].to_numpy()) for table in tables])
    source = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    kept = ~np.isin(names, list(seen))
    labels = np.unique(names[kept], return_inverse=True)[1]
    print(f"{kept.sum():,} pictures of {labels.max() + 1:,} classes")
    return vectors[kept], labels, source[kept]


def speed(classes: int, scorer: str) -> None:
    """CPU time, so that other processes of the machine count little."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(classes, 128)).astype(np.float32)
    labels = np.repeat(np.arange(classes), 10)
    vectors = centres[labels] + generator.normal(size=(len(labels), 128)).astype(np.float32)
    asked = (centres + generator.normal(size=centres.shape)).astype(np.float32)[:1000]
    examples, names = Examples.of(vectors, labels), [str(one) for one in range(classes)]
    Recognizer.of(["a"], Examples.of(vectors[:2], [0, 0]), scorer=scorer).recognize(asked[:1])  # imports
    made: list[Recognizer] = []
    rows = [("made of all examples", timed(lambda: made.append(Recognizer.of(names, examples, scorer=scorer))))]
    recognizer = made[0]
    rows.append(("threshold measured, once", timed(lambda: recognizer.measured)))
    recognizer.recognize(asked[:2])
    rows.append(
        ("a picture, one by one", timed(lambda: [recognizer.recognize(one[None]) for one in asked[:100]]) / 100)
    )
    rows.append(("a picture, 1,000 at once", timed(lambda: recognizer.recognize(asked)) / len(asked)))

    def add() -> None:
        grown = recognizer
        for row in range(10):
            grown = grown.with_examples(Examples.of(asked[row : row + 1], [row], count=classes))
            grown.threshold()

    rows.append(("an example more, with its threshold", timed(add) / 10))
    for name, seconds in rows:
        print(f"| {classes:,} classes, {len(labels):,} examples, {scorer} | {name} | {1000 * seconds:,.2f} ms |")


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def split(
    labels: np.ndarray, classes: int, enrolled: int, seed: int, *, further: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows to enrol with their ids, further rows with theirs, and the labels of all other classes, in random order.

    Each class has a further row, if `further`.
    """
    generator = np.random.default_rng(seed)
    could = generator.permutation(np.flatnonzero(np.bincount(labels) >= enrolled + (1 if further else 0)))
    chosen = could[:classes]
    rows, ids, more, more_ids = [], [], [], []
    for one, label in enumerate(chosen):
        own = generator.permutation(np.flatnonzero(labels == label))
        rows += own[:enrolled].tolist()
        ids += [one] * enrolled
        more += own[enrolled : enrolled + _ASKED].tolist()
        more_ids += [one] * len(own[enrolled : enrolled + _ASKED])
    others = generator.permutation(np.setdiff1d(np.arange(labels.max() + 1), chosen))
    return np.array(rows), np.array(ids), np.array(more, int), np.array(more_ids, int), others


def promise(
    vectors: np.ndarray, labels: np.ndarray, classes: int, enrolled: int, strangers: int, splits: int, scorer: str
) -> None:
    """A row for each rate."""
    found: dict[float, list[tuple[float, float, float, bool]]] = {rate: [] for rate in RATES}
    for seed in range(splits):
        rows, ids, _, _, others = split(labels, classes, enrolled, seed)
        half = others[: len(others) // 2] if strangers else others[:0]
        judged = np.setdiff1d(others, half)
        given = np.flatnonzero(np.isin(labels, half))[:strangers]
        known = [Strangers(vectors[given], labels[given], "strangers")] if strangers else []
        examples = Examples.of(vectors[rows], ids, count=classes)
        recognizer = Recognizer.of([str(one) for one in range(classes)], examples, strangers=known, scorer=scorer)
        all_judged = np.flatnonzero(np.isin(labels, judged))
        scores = recognizer.scores(vectors[all_judged]).max(axis=1)
        for rate in RATES:
            try:
                threshold = recognizer.threshold(rate)
            except InvalidInput:
                continue
            group = np.random.default_rng(seed).permutation(judged)[: threshold.strangers]
            reached = float(np.mean(scores[np.isin(labels[all_judged], group)] >= threshold.score))
            low, high = threshold.fpir_low, threshold.fpir_high
            found[rate].append((low, high, float(np.mean(scores >= threshold.score)), low <= reached <= high))
    for rate, runs in found.items():
        start = f"| {classes:,} | {enrolled} | {strangers:,} | {rate:.0%} |"
        if not runs:
            print(f"{start} refused | - | - |", flush=True)
            continue
        low, high, reached, within = (np.array(one) for one in zip(*runs, strict=True))
        of = f"{within.sum()} of {len(runs)}" + (f", {splits - len(runs)} refused" if len(runs) < splits else "")
        print(f"{start} {low.mean():.1%} to {high.mean():.1%} | {reached.mean():.1%} | {of} |", flush=True)


def compare(vectors: np.ndarray, labels: np.ndarray, known: int, enrolled: int, splits: int, scorer: str) -> None:
    """Means over splits."""
    figures = []
    for seed in range(splits):
        rows, ids, asked, asked_ids, others = split(labels, known, enrolled, seed, further=True)
        classes = int(ids.max()) + 1
        examples = Examples.of(vectors[rows], ids, count=classes)
        recognizer = Recognizer.of([str(one) for one in range(classes)], examples, scorer=scorer)
        strangers = recognizer.scores(vectors[np.isin(labels, others)]).max(axis=1)
        scores = recognizer.scores(vectors[asked])
        right, best = scores.argmax(axis=1) == asked_ids, scores.max(axis=1)
        tpir = [np.mean(right & (best > np.quantile(strangers, 1 - rate))) for rate in RATES]
        figures.append([np.mean(right), *tpir])
    accuracy, *tpirs = np.mean(figures, axis=0)
    cells = " | ".join(f"{one:.1%}" for one in (accuracy, *tpirs))
    print(f"| {enrolled} | {scorer} | {cells} |", flush=True)


def icons(vectors: np.ndarray, labels: np.ndarray, icon: np.ndarray, splits: int) -> None:
    """Accuracy over all classes, for each picture that is not enrolled."""
    classes = int(labels.max()) + 1
    print("| enrolled | accuracy |\n|---|---|")
    for name, with_icon, photos in [
        ("icon", True, 0), ("1 photo", False, 1), ("2 photos", False, 2), ("5 photos", False, 5),
        ("icon and 1 photo", True, 1), ("icon and 2 photos", True, 2), ("icon and 5 photos", True, 5),
    ]:  # fmt: skip
        flags, groups = [], []
        for seed in range(splits if photos else 1):
            generator = np.random.default_rng(seed)
            order = generator.permutation(np.flatnonzero(~icon))
            order = order[np.argsort(labels[order], kind="stable")]
            turn = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
            enrolled = np.concatenate([order[turn < photos], np.flatnonzero(icon) if with_icon else order[:0]])
            examples = Examples.of(vectors[enrolled], labels[enrolled], count=classes)
            recognizer = Recognizer.of([str(one) for one in range(classes)], examples)
            # The same pictures are asked, however many are enrolled.
            asked = order[turn >= 5]
            flags.append(recognizer.scores(vectors[asked]).argmax(axis=1) == labels[asked])
            groups.append(labels[asked])
        figure = bootstrap_mean(np.concatenate(flags), groups=np.concatenate(groups), within=(0.0, 1.0))
        print(f"| {name} | {figure.value:.1%} [{figure.low:.1%}, {figure.high:.1%}] |", flush=True)


if __name__ == "__main__":
    main()
