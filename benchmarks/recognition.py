"""Recognition: how fast, how well, and whether a promised rate of named strangers is kept.

    python benchmarks/recognition.py speed [--classes 10000]
    python benchmarks/recognition.py promise VECTORS.parquet --classes 10 100 1440 [--strangers 300] [--splits 20]
    python benchmarks/recognition.py guess VECTORS.parquet --classes 2 5 10 --unnamed 1000
    python benchmarks/recognition.py scorers VECTORS.parquet --known 100 --enrolled 1 2 5
    python benchmarks/recognition.py icons PHOTOS.parquet ICONS.parquet
    python benchmarks/recognition.py folds RUN... --data FACES
    python benchmarks/recognition.py enroll MODEL EXAMPLES ASKED
    python benchmarks/recognition.py episodes MODEL DATA [--within group] [--ways 5 20] [--enrolled 1 5]

Vectors are what `nearkin embed MODEL DATA --out VECTORS.parquet` writes. The class of a picture is its folder, or its
file's name (`--class-of file`, for emoji). Pictures of classes that the model was trained on are left out by `--without
train.csv validation.csv` of its run folder.

`speed` draws classes of ten pictures. `promise` draws known classes and strangers, enrols a picture of each known class
(or `--enrolled`), and asks whether the rate that another group of as many strangers reaches lies within the stated
interval; beside it, which share of strangers' pictures gets a name, and which a name or "not sure". With `--strangers`
the recognizer is given so many pictures of strangers, of others than those it is judged by. `guess` does so where
nothing can be measured, with `--unnamed` pictures of which nothing is said. `scorers` compares ways to score: the share
that is named rightly at the threshold that the strangers themselves give. `icons` enrols the icon picture, photos, or
both, of each class of the Grocery Store data.

`folds` takes run folders, each trained without the people of one fold (`recipes/run.py lfw --fold 1`). Of the people in
FACES that the run did not use, it says how many are named rightly, and what `promise` does. `enroll` enrols all of one
labelled set into a gallery by `enroll`, and asks for all of another one by `recognize`. `episodes` draws few-shot
episodes, enrols the labelled pictures of each into a gallery of its own by `enroll`, asks for the others by
`recognize`, and compares with `nearkin evaluate --protocol few-shot` on the same pictures. DATA holds classes that
MODEL was not trained on, such as the `validation.csv` of its run folder.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq

import nearkin
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.few_shot import FewShot, draw_episodes, episode_accuracy, score_episodes
from nearkin.evaluation.protocol import Embeddings, GroundTruth
from nearkin.evaluation.protocols import identification
from nearkin.evaluation.protocols.identification import IdentificationOptions
from nearkin.intervals.bootstrap import bootstrap_mean
from nearkin.intervals.figure import Figure
from nearkin.recognition.examples import Examples
from nearkin.recognition.recognizer import Recognizer, Strangers
from nearkin.recognition.scorer import SCORERS

RATES = (0.1, 0.01)
# Further pictures of each known class that are asked.
_ASKED = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", choices=["speed", "promise", "guess", "scorers", "icons", "folds", "episodes", "enroll"]
    )
    parser.add_argument("vectors", nargs="*")
    parser.add_argument("--class-of", choices=["folder", "file"], default="folder")
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--classes", nargs="*", type=int, default=[10_000])
    parser.add_argument("--known", type=int, default=100)
    parser.add_argument("--enrolled", nargs="*", type=int, default=[1])
    parser.add_argument("--strangers", type=int, default=0)
    parser.add_argument("--unnamed", type=int, default=0)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--within")
    parser.add_argument("--ways", nargs="*", type=int, default=[5, 20])
    parser.add_argument("--queries", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--scorer", nargs="*", default=["linear"])
    given = parser.parse_args()
    if given.what == "speed":
        for classes in given.classes:
            for scorer in given.scorer:
                speed(classes, scorer)
        return
    if given.what == "folds":
        folds([Path(run) for run in given.vectors], given.data, given.classes, given.strangers, given.splits)
        return
    if given.what == "enroll":
        enroll(*given.vectors, given.scorer[0])
        return
    if given.what == "episodes":
        kinds = [FewShot(ways, shots, given.queries, given.episodes) for ways in given.ways for shots in given.enrolled]
        model, data = given.vectors
        episodes(model, data, given.within, kinds, given.scorer[0])
        return
    vectors, labels, source = load(given.vectors, given.without, given.class_of)
    if given.what == "promise":
        print(PROMISE_HEADER)
        for classes in given.classes:
            for enrolled in given.enrolled:
                for scorer in given.scorer:
                    promise(vectors, labels, classes, enrolled, given.strangers, given.splits, scorer)
    elif given.what == "guess":
        print(
            "| classes | enrolled | unnamed pictures | guessed | reached, 5 % to 95 % of splits | up to 4 % | named |"
        )
        print("|---|---|---|---|---|---|---|")
        for classes in given.classes:
            for enrolled in given.enrolled:
                guess(vectors, labels, classes, enrolled, given.unnamed, given.splits)
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


PROMISE_HEADER = (
    "| classes | enrolled | strangers given | promised | stated | reached | within | named | named or not sure |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def promise(
    vectors: np.ndarray, labels: np.ndarray, classes: int, enrolled: int, strangers: int, splits: int, scorer: str
) -> None:
    """A row for each rate."""
    found: dict[float, list[tuple[float, ...]]] = {rate: [] for rate in RATES}
    for seed in range(splits):
        rows, ids, _, _, others = split(labels, classes, enrolled, seed)
        half = others[: len(others) // 2] if strangers else others[:0]
        judged = np.setdiff1d(others, half)
        given = np.concatenate([np.flatnonzero(labels == one) for one in half])[:strangers] if strangers else half
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
            shares = (float(np.mean(scores >= at)) for at in (threshold.score, threshold.high, threshold.low))
            found[rate].append((low, high, low <= reached <= high, *shares))
    for rate, runs in found.items():
        start = f"| {classes:,} | {enrolled} | {strangers:,} | {rate:.0%} |"
        if not runs:
            print(f"{start} refused | - | - | - | - |", flush=True)
            continue
        low, high, within, reached, named, unsure = np.array(runs, float).T
        of = f"{within.sum():.0f} of {len(runs)}" + (f", {splits - len(runs)} refused" if len(runs) < splits else "")
        shares = f"{named.mean():.1%} | {unsure.mean():.1%}"
        print(f"{start} {low.mean():.1%} to {high.mean():.1%} | {reached.mean():.1%} | {of} | {shares} |", flush=True)


def guess(vectors: np.ndarray, labels: np.ndarray, classes: int, enrolled: int, unnamed: int, splits: int) -> None:
    """A row: what the threshold of few classes, guessed from pictures without names, lets through."""
    found = []
    for seed in range(splits):
        rows, ids, more, _, others = split(labels, classes, enrolled, seed)
        half = others[: len(others) // 2]
        # Unnamed are pictures of other people and, as in any gallery, further ones of the known.
        pictures = np.concatenate([more, np.flatnonzero(np.isin(labels, half))])
        pictures = np.random.default_rng(seed).permutation(pictures)[:unnamed]
        examples, names = Examples.of(vectors[rows], ids, count=classes), [str(one) for one in range(classes)]
        recognizer = Recognizer.of(names, examples, background=vectors[pictures] if unnamed else None)
        threshold = recognizer.threshold()
        judged = np.isin(labels, others[len(others) // 2 :])
        scores = recognizer.scores(vectors[judged]).max(axis=1)
        found.append([threshold.measured, *(np.mean(scores >= at) for at in (threshold.score, threshold.high))])
    measured, reached, named = np.array(found, float).T
    spread = " to ".join(f"{one:.1%}" for one in np.quantile(reached, [0.05, 0.95]))
    cells = f"{reached.mean():.1%} ({spread}) | {np.mean(reached <= 0.04):.0%} | {named.mean():.1%}"
    print(f"| {classes} | {enrolled} | {unnamed:,} | {1 - measured.mean():.0%} | {cells} |", flush=True)


def folds(runs: list[Path], data: Path, classes: list[int], strangers: int, splits: int) -> None:
    """For each run, of the people that it did not use, how many are named rightly, and whether the promise is kept."""
    items = nearkin.read_items(data)
    people = np.array(items.labels)
    parts = []
    for run in runs:
        used = {label for name in ("train.csv", "validation.csv") for label in nearkin.read_items(run / name).labels}
        rows = np.flatnonzero(~np.isin(people, list(used)))
        labels = np.unique(people[rows], return_inverse=True)[1]
        vectors = nearkin.Encoder.from_pretrained(run / "model").embed_images([items.uris[row] for row in rows])
        parts.append((run.name, vectors, labels))
    print("| run | known people | accuracy | TPIR at FPIR 10 % | TPIR at FPIR 1 % |")
    print("|---|---|---|---|---|")
    for name, vectors, labels in parts:
        identify(name, vectors, labels)
    for name, vectors, labels in parts:
        print(f"\n{name}\n\n{PROMISE_HEADER}")
        for count in classes:
            for given in (0, strangers) if strangers else (0,):
                promise(vectors, labels, min(count, (labels.max() + 1) // 2), 1, given, splits, "linear")


def identify(name: str, vectors: np.ndarray, labels: np.ndarray) -> None:
    """Who has two pictures is known, by one of them; all others are strangers. As `nearkin evaluate` has it."""
    options = IdentificationOptions(enrolled=(1,), fpir=RATES, known=0.999)
    outcome = identification.run([Embeddings(vectors)], GroundTruth(labels), options, 0)
    figures = {name.removeprefix("1 enrolled/"): one.figure() for name, one in outcome.estimates[0].items()}
    names = ["accuracy", *(f"tpir@fpir={rate:g}" for rate in RATES)]
    print(
        f"| {name} | {outcome.counts['known_classes']:,} | {' | '.join(shown_figure(figures[one]) for one in names)} |"
    )


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
        print(f"| {name} | {shown_figure(figure)} |", flush=True)


def enroll(model: str, examples: str, asked: str, scorer: str) -> None:
    """Accuracy through a gallery."""
    encoder, shown, others = (
        nearkin.Encoder.from_pretrained(model),
        nearkin.read_items(examples),
        nearkin.read_items(asked),
    )
    with TemporaryDirectory() as folder:
        gallery = nearkin.Gallery.create(Path(folder) / "gallery", encoder)
        summary = gallery.enroll_many(by_name(shown.labels, shown.uris))
        answers = gallery.recognize(list(others.uris), k=1, scorer=scorer)
    right = [one.candidates[0].name == label for one, label in zip(answers, others.labels, strict=True)]
    figure = bootstrap_mean(right, groups=others.label_ids()[0], within=(0.0, 1.0))
    print(f"{len(summary.taken):,} examples taken, {len(summary.refused):,} refused")
    print(f"accuracy {shown_figure(figure)} over {len(right):,} pictures; {answers[0].threshold}")


def by_name(labels: Iterable[str], uris: Iterable[str]) -> dict[str, list[str]]:
    """Pictures of each class."""
    found: dict[str, list[str]] = {}
    for label, uri in zip(labels, uris, strict=True):
        found.setdefault(label, []).append(uri)
    return found


def episodes(model: str, data: str, within: str | None, kinds: list[FewShot], scorer: str) -> None:
    """A row for each kind of episode: accuracy through a gallery, by the protocol, and the difference."""
    encoder, items = nearkin.Encoder.from_pretrained(model), nearkin.read_items(data)
    labels, names = items.label_ids()
    groups = None if within is None else np.array(items.column(within))
    over = "classes" if groups is None else "groups"
    vectors = encoder.embed_images(list(items.uris))
    print(f"{len(items):,} pictures of {len(names):,} classes; intervals over {within or 'classes'}")
    print("| episodes | enroll and recognize | few-shot protocol | difference | refused |\n|---|---|---|---|---|")
    for kind in kinds:
        drawn, right, refused = draw_episodes(labels, kind, within=groups), [], 0
        for episode in drawn:
            with TemporaryDirectory() as folder:
                gallery = nearkin.Gallery.create(Path(folder) / "gallery", encoder)
                shown = [names[label] for label in episode.shown_classes]
                pictures = by_name(shown, [items.uris[row] for row in episode.shown])
                refused += len(gallery.enroll_many(pictures).refused)
                answers = gallery.recognize([items.uris[row] for row in episode.asked], k=1, scorer=scorer)
            named = [one.candidates[0].name for one in answers]
            right.append(np.array([name == names[own] for name, own in zip(named, episode.asked_classes, strict=True)]))
        gallery_accuracy = episode_accuracy(right, drawn, unit_of_interval=over)
        protocol = score_episodes(vectors, drawn, unit_of_interval=over)["prototype"]
        both = [shown_figure(one.figure()) for one in (gallery_accuracy, protocol)]
        apart = gallery_accuracy.minus(protocol)  # type: ignore[arg-type]
        cells = f"{both[0]} | {both[1]} | {100 * apart.value:+.1f} [{100 * apart.low:+.1f}, {100 * apart.high:+.1f}]"
        print(f"| {kind} | {cells} | {refused:,} of {len(drawn) * kind.ways * kind.shots:,} |", flush=True)


def shown_figure(figure: Figure) -> str:
    return f"{figure.value:.1%} [{figure.low:.1%}, {figure.high:.1%}]"


if __name__ == "__main__":
    main()
