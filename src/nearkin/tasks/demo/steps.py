"""The steps of the demo, in the order in which they are told."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from nearkin.calibration.fit import fit_calibration
from nearkin.encoders.encoder import Encoder
from nearkin.evaluation.metrics.clustering import clustering
from nearkin.evaluation.metrics.retrieval import retrieval
from nearkin.gallery.hits import Hit
from nearkin.gallery.index.kinds.lsh import LshIndex
from nearkin.intervals.figure import Figure
from nearkin.recognition.examples import Examples
from nearkin.recognition.recognizer import Recognizer, Strangers
from nearkin.similarity.clustering import cluster
from nearkin.tasks.demo.drawing import (
    Cell,
    numbers_of,
    plane_map,
    rows_of_pictures,
    side_by_side,
    table_of_scores,
    two_histograms,
)
from nearkin.tasks.demo.material import Demo
from nearkin.tasks.demo.page import Step
from nearkin.tasks.demo.words import WORDS
from nearkin.tasks.sheet import save_sheet

# Of different pairs, and of strangers, that may pass for same and for known.
FAR, STRANGERS = 0.01, 0.05
# Nearest neighbours that are looked for, and those by hash that are compared exactly.
NEAREST, SHORTLIST = 10, 100
# Names that an unseen emoji is to be told by, and how often such names are drawn.
CHOICES, DRAWS = 20, 200


def descriptor(demo: Demo) -> Step:
    """A picture is N numbers."""
    rows = [demo.row(one) for one in ("🐱", "🐶", "🚗")]
    vectors = demo.vectors(demo.features[rows])
    cat = vectors[0]
    first = np.argsort(-cat, kind="stable")[:5]
    shown = ", ".join(f"{cat[one]:.3f}" for one in first)
    return Step(
        "descriptor",
        "A descriptor is N numbers",
        f"A network that learned from a million photos turns each picture into {len(cat):,} numbers; "
        "as a vector they have length 1.",
        f"🐱 is {len(cat):,} numbers, {int((cat > 0.001).sum()):,} of them above 0.001; the greatest are {shown}",
        ("nearkin embed lite0 photos/ --out vectors.parquet",),
        {"dimension": len(cat), "greatest": [_round(cat[one]) for one in first]},
        _drawn(demo, "descriptor", numbers_of([demo.items.uris[row] for row in rows], vectors)),
    )


def distances(demo: Demo) -> Step:
    """Like things lie near each other."""
    rows = [demo.row(one) for one in ("🐱", "🐶", "🦁", "🚗", "🚕", "🌳")]
    vectors = demo.vectors(demo.features[rows])
    scores = vectors @ vectors.T
    near, far = float(scores[0, 1]), float(scores[0, 3])
    return Step(
        "distances",
        "Like things lie near each other",
        "The cosine of two vectors of length 1 is x.y; the distance follows from it: |x - y|^2 = 2 - 2 x.y.",
        f"🐱 and 🐶: cosine {near:.2f}, distance {(2 - 2 * near) ** 0.5:.2f}; "
        f"🐱 and 🚗: {far:.2f} and {(2 - 2 * far) ** 0.5:.2f}",
        ("nearkin index lite0 photos/ galleries/mine", "nearkin search galleries/mine query.jpg --sheet hits.png"),
        {
            "cat and dog": [_round(near, 2), _round((2 - 2 * near) ** 0.5, 2)],
            "cat and car": [_round(far, 2), _round((2 - 2 * far) ** 0.5, 2)],
        },
        _drawn(demo, "distances", table_of_scores([demo.items.uris[row] for row in rows], scores)),
    )


def training(demo: Demo) -> Step:
    """Softmax and triplets, before and after, on classes that were not trained on."""
    encoders: dict[str, Encoder | None] = {"frozen": None, **demo.trained}
    judged = {name: demo.of("test", one) for name, one in encoders.items()}
    found = {name: retrieval(vectors, labels) for name, (_, vectors, labels) in judged.items()}
    rows, _, labels = judged["frozen"]
    shown = labels < 8
    pictures = [demo.snapshots.uris[row] for row in rows[shown]]
    maps = [
        plane_map(pictures, judged[name][1][shown], labels[shown], f"{title}: 8 classes it was not trained on")
        for name, title in (("frozen", "before"), ("triplet", "after (triplets)"))
    ]
    trained = demo.labels[demo.parts["train"]].max() + 1
    return Step(
        "training",
        "Training: softmax, and triplets",
        f"Learned from snapshots of {trained} emoji what makes two snapshots show the same; judged on "
        f"{labels.max() + 1} others, where each snapshot asks for those of its emoji.",
        f"mAP@R before {_percent(found['frozen']['map@r'])}, softmax {_percent(found['softmax']['map@r'])}, "
        f"triplets {_percent(found['triplet']['map@r'])}; the first hit is right for "
        f"{_percent(found['frozen']['recall@1'])}, {_percent(found['softmax']['recall@1'])}, "
        f"{_percent(found['triplet']['recall@1'])}",
        ("nearkin train photos/ --loss batch-hard-triplet --out runs/mine",),
        {name: {metric: _plain(one[metric]) for metric in ("map@r", "recall@1")} for name, one in found.items()},
        _drawn(demo, "training", side_by_side(maps)),
    )


def neighbours(demo: Demo) -> Step:
    """Nearest neighbours: exact, and by locality-sensitive hashing."""
    vectors = demo.vectors(demo.snapshot_features, demo.trained["triplet"])
    exact = _nearest(vectors @ vectors.T, NEAREST)
    found, listed, by_hash = {}, {}, exact
    for bits in LshIndex.settings:
        hashes = LshIndex.empty(vectors, "cosine", bits, seed=0).hashes(vectors)
        signs = np.array([[1 if bit == "1" else -1 for bit in one] for one in hashes], np.float32)
        near = _nearest(signs @ signs.T, SHORTLIST)
        found[bits] = _shared(exact, near[:, :NEAREST])
        listed[bits] = _shared(exact, near)
        by_hash = near if bits == min(LshIndex.settings) else by_hash
    bits = min(found)
    shown = ", ".join(f"{100 * share:.1f} % with {bits} bits" for bits, share in found.items())
    rows = []
    for query in demo.parts["test"][:: len(demo.parts["test"]) // 3][:3]:
        for text, near in (("exact", exact), (f"by {bits} bits", by_hash)):
            cells = [
                Cell(demo.snapshots.uris[one], right=one in exact[query] if text != "exact" else None)
                for one in near[query][:NEAREST]
            ]
            rows.append((text, [Cell(demo.snapshots.uris[query]), *cells]))
    return Step(
        "neighbours",
        "Nearest neighbours, exact and hashed",
        "Locality-sensitive hashing keeps a bit for the side of a random plane: near vectors share most bits.",
        f"of the {NEAREST} true neighbours among {len(vectors):,} snapshots, the {NEAREST} nearest hashes hold "
        f"{shown}; "
        f"a shortlist of {SHORTLIST} by {bits} bits, compared exactly, holds {100 * listed[bits]:.1f} %",
        ("nearkin gallery build galleries/mine --kind lsh",),
        {"hashes": {str(one): _round(share) for one, share in found.items()}, "shortlist": _round(listed[bits])},
        _drawn(demo, "neighbours", rows_of_pictures(rows)),
    )


def verification(demo: Demo) -> Step:
    """Same or different, at a promised rate."""
    encoder = demo.trained["triplet"]
    _, vectors, labels = demo.of("calibrate", encoder)
    calibration = fit_calibration(vectors, labels, fingerprint=encoder.fingerprint)
    limit, classes = calibration.threshold(FAR), labels.max() + 1
    _, vectors, labels = demo.of("test", encoder)
    upper = np.triu_indices(len(vectors), 1)
    scores, same = (vectors @ vectors.T)[upper], (labels[:, None] == labels)[upper]
    far, tar = float((scores[~same] >= limit.score).mean()), float((scores[same] >= limit.score).mean())
    return Step(
        "verification",
        "Same or different, at a promised rate",
        f"A threshold that {100 * FAR:g} % of different pairs may pass, found on {classes} emoji, tried on others.",
        f"of different pairs {100 * far:.2f} % pass (promised {100 * FAR:g} %, give or take "
        f"[{100 * limit.far_low:.2g}, {100 * limit.far_high:.2g}]), of same pairs {100 * tar:.1f} %",
        (
            "nearkin calibrate lite0 other-photos/ --out models/mine",
            f"nearkin verify models/mine a.jpg b.jpg --far {FAR:g}",
        ),
        {
            "promised": FAR,
            "false accepts": _round(far, 4),
            "true accepts": _round(tar),
            "threshold": _round(limit.score),
        },
        _drawn(demo, "verification", two_histograms(scores[same], scores[~same], limit.score)),
    )


def groups(demo: Demo) -> Step:
    """Groups, without a number being given."""
    rows, vectors, labels = demo.of("test", demo.trained["triplet"])
    found = cluster(vectors)
    figure = clustering(found, labels)["bcubed_f"]
    sizes = np.bincount(found[found >= 0])
    largest = np.argsort(-sizes, kind="stable")[:6]
    pictures = []
    for number in largest:
        members = np.flatnonzero(found == number)
        most = np.bincount(labels[members]).argmax()
        cells = [Cell(demo.snapshots.uris[rows[one]], right=bool(labels[one] == most)) for one in members[:10]]
        pictures.append((f"group of {len(members)}", cells))
    return Step(
        "groups",
        "Groups",
        f"{len(rows)} snapshots of {labels.max() + 1} emoji, sorted without labels and without a number of groups.",
        f"{len(sizes)} groups; BCubed F {_percent(figure)}",
        ("nearkin cluster galleries/mine --sheet groups/",),
        {"emoji": int(labels.max()) + 1, "groups": len(sizes), "bcubed_f": _plain(figure)},
        _drawn(demo, "groups", rows_of_pictures(pictures)),
    )


def recognition(demo: Demo) -> Step:
    """Few pictures enrolled; others recognised; strangers unknown."""
    encoder = demo.trained["triplet"]
    rows, vectors, labels = demo.of("test", encoder)
    _, others, ids = demo.of("calibrate", encoder)
    classes, known, place = (labels.max() + 1) // 2, labels < (labels.max() + 1) // 2, demo.view[rows]
    names = [demo.snapshots.labels[row] or "" for row in rows[place == 0]]
    asks = np.flatnonzero(known & (place >= 4))
    figures: dict[int, dict[str, float]] = {}
    given: dict[int, list[str | None]] = {}
    for shots in (1, 4):
        taught = known & (place < shots)
        recognizer = Recognizer.of(
            names[:classes],
            Examples.of(vectors[taught], labels[taught]),
            strangers=[Strangers(others, ids, "other emoji")],
        )
        nearest = recognizer.scores(vectors).argmax(1)
        answers = recognizer.recognize(vectors, fpir=STRANGERS)
        given[shots] = [
            names[best] if answer.score >= answer.threshold.score else None
            for answer, best in zip(answers, nearest, strict=True)
        ]
        said = given[shots]
        figures[shots] = {
            "named": _round(np.mean([said[ask] == names[labels[ask]] for ask in asks])),
            "misnamed": _round(np.mean([said[ask] not in (names[labels[ask]], None) for ask in asks])),
            "strangers named": _round(np.mean([said[one] is not None for one in np.flatnonzero(~known)])),
            "right without strangers": _round((nearest[asks] == labels[asks]).mean()),
        }

    def cell(one: int) -> Cell:
        """What is said of a snapshot; green if it is right."""
        name = given[1][one]
        right = name == names[labels[one]] if known[one] else name is None
        return Cell(demo.snapshots.uris[rows[one]], name or "unknown", right)

    drawn = []
    for number in range(min(5, classes)):
        taught = int(rows[np.flatnonzero(labels == number)[0]])
        cells = [cell(int(ask)) for ask in asks[labels[asks] == number]]
        drawn.append((names[number], [Cell(demo.snapshots.uris[taught], "taught"), *cells]))
    strangers = np.flatnonzero(~known & (place == 0))[:5]
    drawn.append(("strangers", [cell(int(one)) for one in strangers]))
    alone, four = ({name: f"{100 * share:.1f} %" for name, share in figures[shots].items()} for shots in (1, 4))
    return Step(
        "recognition",
        "One picture enrolled, others recognised, strangers unknown",
        f"{classes} emoji are taught by one snapshot each; what reaches a threshold that {100 * STRANGERS:g} % of "
        "strangers may reach gets the nearest name, all else is unknown.",
        f"of {len(asks)} other snapshots {alone['named']} get their name and {alone['misnamed']} another, of "
        f"{int((~known).sum())} of strangers {alone['strangers named']} get one; taught by four, {four['named']}, "
        f"{four['misnamed']} and {four['strangers named']}; where nobody is a stranger, the nearest is right for "
        f"{alone['right without strangers']} and {four['right without strangers']}",
        (
            "nearkin enroll galleries/mine Anna anna1.jpg",
            "nearkin recognize galleries/mine anna2.jpg stranger.jpg",
        ),
        {f"taught by {shots}": found for shots, found in figures.items()},
        _drawn(demo, "recognition", rows_of_pictures(drawn)),
    )


def zero_shot(demo: Demo) -> Step:
    """Classes that are known by their word alone."""
    kinds: dict[str, int] = {}
    for row in np.flatnonzero(demo.unseen_kinds):
        kinds.setdefault(demo.base[row], int(row))
    rows = np.array(list(kinds.values()))
    words = demo.two_towers.embed_texts([demo.names[row] for row in rows])
    scores = demo.vectors(demo.features_of_words[rows], demo.two_towers) @ words.T
    random = np.random.default_rng(0)
    draws = [random.permutation(len(rows))[:CHOICES] for _ in range(DRAWS)]
    said = [scores[np.ix_(draw, draw)].argmax(1) for draw in draws]
    mean = float(np.mean([one == np.arange(len(one)) for one in said]))
    first = draws[0]
    drawn = [
        (
            demo.names[rows[first[one]]],
            [Cell(demo.items.uris[rows[first[row]]], right=bool(row == one)) for row in np.flatnonzero(said[0] == one)],
        )
        for one in range(min(10, len(first)))
    ]
    return Step(
        "zero-shot",
        "Zero-shot: classes known by a word alone",
        f"{len(rows)} emoji, no variant of which was trained on, each get the nearest of {CHOICES} English names that "
        f"were not trained on either: their own, and {CHOICES - 1} of others.",
        f"{100 * mean:.1f} % get their own; chance {100 / CHOICES:g} %",
        (
            f"nearkin index {demo.out / 'model'} photos/ galleries/words",
            'nearkin enroll galleries/words circle --text "a red circle"',
            "nearkin recognize galleries/words query.jpg",
        ),
        {"right": _round(mean), "chance": 1 / CHOICES},
        _drawn(demo, "zero-shot", rows_of_pictures(drawn)),
    )


def words(demo: Demo) -> Step:
    """Words in two languages find what they say."""
    right = {language: sum(one for _, one, _ in answers) for language, answers in demo.answers.items()}
    missed = [asked for pair in zip(*demo.answers.values(), strict=True) for asked, one, _ in pair if not one]
    both = [_rows_of_hits(answers) for answers in demo.answers.values()]
    return Step(
        "words",
        "Words in two languages",
        f"{len(WORDS)} Russian words and the same in English, asked of the {int(demo.held_out.sum())} emoji that were "
        "held out, half of those that show these words among them: names were learned of the others.",
        f"a right picture among the first 3: {right['ru']} of {len(WORDS)} in Russian, {right['en']} of {len(WORDS)} "
        "in English" + (f"; missed: {', '.join(missed)}" if missed else ""),
        (
            f'nearkin search {demo.out / "gallery"} "кошка" "a cat" --sheet hits.png',
            'nearkin search galleries/words "красный круг"',
        ),
        {**right, "missed": missed},
        _drawn(demo, "words", side_by_side([rows_of_pictures(one) for one in both])),
    )


def mixture(demo: Demo) -> Step:
    """A picture and a word at once."""
    cat = demo.items.uris[demo.row("🐱")]
    asked: list[tuple[str, Any]] = [("🐱", cat), ('"heart"', "heart"), ('🐱 + "heart"', [(cat, 1.0), ("heart", 1.0)])]
    answers = [(text, demo.gallery.search(query, k=6, exclude_self=True)) for text, query in asked]
    shown = " ".join(str(hit.metadata["emoji"]) for hit in answers[-1][1])
    rows = [(text.replace("🐱", "cat"), [Cell(hit.uri) for hit in hits]) for text, hits in answers]
    return Step(
        "mixture",
        "A mixture",
        "The vectors of a picture and of a word are added, and the sum is searched for.",
        f'🐱 + "heart" finds {shown}',
        ("nearkin search galleries/words 'query.jpg + 0.5 * \"red\"'",),
        {"found": shown},
        _drawn(demo, "mixture", rows_of_pictures(rows)),
    )


STEPS: tuple[Callable[[Demo], Step], ...] = (
    descriptor, distances, training, neighbours, verification, groups, recognition, zero_shot, words, mixture,
)  # fmt: skip


def _drawn(demo: Demo, name: str, picture: Image.Image) -> tuple[str]:
    """The picture, saved."""
    save_sheet(picture, demo.out / f"{name}.png")
    return (f"{name}.png",)


def _nearest(scores: Float[np.ndarray, "n n"], k: int) -> Int[np.ndarray, "n k"]:
    """Of each, the k others with the highest scores, ties by number."""
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    return np.argsort(-others, axis=1, kind="stable")[:, :k]


def _shared(true: Int[np.ndarray, "n k"], found: Int[np.ndarray, "n m"]) -> float:
    """Share of the true neighbours that were found."""
    return float((true[:, :, None] == found[:, None, :]).any(2).mean())


def _rows_of_hits(answers: Sequence[tuple[str, bool, Sequence[Hit]]]) -> list[tuple[str, list[Cell]]]:
    return [(asked, [Cell(hit.uri) for hit in hits]) for asked, _, hits in answers]


def _round(value: Any, digits: int = 3) -> float:
    return round(float(value), digits)


def _plain(figure: Figure) -> list[float]:
    """Value, and the ends of its interval."""
    return [_round(one, 4) for one in (figure.value, figure.low, figure.high)]


def _percent(figure: Figure) -> str:
    """A figure with its interval, in words."""
    low, high = (100 * float(one or 0) for one in (figure.low, figure.high))
    return f"{100 * figure.value:.1f} % [{low:.1f}, {high:.1f}]"
