"""The demo: what an embedding is and does, step by step, on emoji. It is counted in steps, so that a busy machine takes
longer and finds the same."""

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nearkin.calibration.fit import fit_calibration
from nearkin.data.images import Preprocessing, stream_pixels
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder, as_pictures
from nearkin.evaluation.metrics.clustering import clustering
from nearkin.evaluation.metrics.retrieval import retrieval
from nearkin.files import write_whole
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.index.kinds.lsh import LshIndex
from nearkin.intervals.figure import Figure
from nearkin.progress import Progress
from nearkin.similarity.clustering import cluster
from nearkin.tasks import emoji as data
from nearkin.tasks.demo_heads import train_on_captions, train_on_labels, with_head
from nearkin.tasks.demo_words import WORDS
from nearkin.tasks.sheet import draw_sheet, save_sheet

START, SIDE = "lite0", 128
# Pictures of each emoji of a person: skin tones and genders. With fewer it is no class to train on.
LEAST = 6


@dataclass(frozen=True)
class Step:
    """One step, as it is told.

    Args:
        title: of the step.
        idea: a line on what it shows.
        found: a line with the figure.
        command: that does the same with one's own pictures.
        figures: numbers, as JSON.
        pictures: files in the demo's folder.
    """

    title: str
    idea: str
    found: str
    command: str
    figures: dict[str, Any] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()


class Demo:
    """What the steps share: pictures, features and what was trained before.

    Args:
        out: folder of the demo.
        steps: of each training.
        progress: called with pictures or texts done and all.
    """

    def __init__(self, out: Path, *, steps: int = 600, progress: Progress | None = None) -> None:
        self.out, self.steps, self.progress = out, steps, progress
        out.mkdir(parents=True, exist_ok=True)
        self.items: Items = read_items(data.write_emoji_table(out / "emoji.csv"))
        column = self.items.column
        self.emoji, self.base, self.tone = ([str(one) for one in column(name)] for name in ("emoji", "base", "tone"))

    @cached_property
    def start(self) -> Encoder:
        """The frozen network, for small pictures."""
        encoder = Encoder.from_pretrained(START)
        return Encoder(encoder.image, Preprocessing(height=SIDE, width=SIDE)).eval()

    @cached_property
    def features(self) -> np.ndarray:
        """Of every picture, computed once; kept in the folder."""
        kept = self.out / "features.npy"
        if kept.exists() and len(found := np.load(kept)) == len(self.items):
            return found
        parts = []
        for batch in stream_pixels(self.items.pictures, self.start.preprocessing, batch_size=64, strict=True):
            with torch.inference_mode():
                pixels = self.start.normalise(as_pictures(torch.from_numpy(batch.pixels)))
                parts.append(self.start.image.features(pixels).numpy())
            if self.progress:
                self.progress(int(batch.rows[-1]) + 1, len(self.items))
        found = np.concatenate(parts)
        np.save(kept, found)
        return found

    def row(self, sign: str) -> int:
        """Of an emoji."""
        return self.emoji.index(sign)

    # -- People and hands: one class for all skin tones and genders ----------------------------------------------

    @cached_property
    def classes(self) -> dict[str, np.ndarray]:
        """Rows of the emoji with skin tones, by class."""
        toned = {one for one, tone in zip(self.base, self.tone, strict=True) if tone == "yes"}
        rows = {one: np.flatnonzero([base == one for base in self.base]) for one in sorted(toned)}
        return {one: found for one, found in rows.items() if len(found) >= LEAST}

    @cached_property
    def parts(self) -> dict[str, list[str]]:
        """Classes to train on, to calibrate on, and to judge by."""
        names = list(self.classes)
        order = [names[one] for one in np.random.default_rng(0).permutation(len(names))]
        first, second = int(0.5 * len(order)), int(0.75 * len(order))
        return {"train": order[:first], "calibrate": order[first:second], "test": order[second:]}

    def of(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows and labels of a part."""
        names = self.parts[part]
        rows = np.concatenate([self.classes[one] for one in names])
        return rows, np.repeat(np.arange(len(names)), [len(self.classes[one]) for one in names])

    @cached_property
    def people(self) -> dict[str, Encoder]:
        """Encoders trained on half of the classes, by each loss."""
        rows, labels = self.of("train")
        heads = {one: train_on_labels(self.features[rows], labels, one, steps=self.steps) for one in ("softmax", "triplet")}
        return {one: Encoder(with_head(self.start.image, head), self.start.preprocessing).eval() for one, head in heads.items()}

    def vectors(self, rows: np.ndarray, encoder: Encoder | None = None) -> np.ndarray:
        """Unit vectors of rows, by the frozen network or by an encoder with a head on it."""
        found = self.features[rows]
        if encoder is not None:
            with torch.inference_mode():
                found = encoder.image.projection(torch.from_numpy(found)).numpy()
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    # -- Words ---------------------------------------------------------------------------------------------------

    @cached_property
    def held_out(self) -> np.ndarray:
        """Rows without skin tones that no words are learned from: those of the twenty words, and a fifth of the rest."""
        named = {plain(sign) for word in WORDS for sign in word.right}
        bases = {base for base, sign in zip(self.base, self.emoji, strict=True) if plain(sign) in named}
        others = sorted(set(self.base) - bases)
        chosen = np.random.default_rng(1).permutation(len(others))[: len(others) // 5]
        bases |= {others[one] for one in chosen}
        return np.array([base in bases for base in self.base]) & self.plain_tone

    @cached_property
    def plain_tone(self) -> np.ndarray:
        """Which rows have no skin tone."""
        return np.array([tone == "no" for tone in self.tone])

    @cached_property
    def two_towers(self) -> Encoder:
        """Pictures and words in one space, learned from emoji that are not held out."""
        rows = np.flatnonzero(self.plain_tone & ~self.held_out)
        captions = [list(self.items.captions[row]) for row in rows]
        return train_on_captions(
            self.start, self.features[rows], captions, steps=self.steps, progress=self.progress
        )

    @cached_property
    def gallery(self) -> Gallery:
        """All that was held out, to be searched by words and pictures."""
        path = self.out / "gallery"
        if Gallery.is_at(path):
            gallery = Gallery.open(path, self.two_towers)
        else:
            gallery = Gallery.create(path, self.two_towers)
        gallery.add(self.items.select(np.flatnonzero(self.held_out)), progress=self.progress)
        return gallery

    @cached_property
    def answers(self) -> list[tuple[str, bool, Any]]:
        """For each word in Russian and in English: whether a right picture is among the first three, and the hits."""
        found = []
        for word in WORDS:
            right = {plain(sign) for sign in word.right}
            for asked in (word.ru, word.en):
                hits = self.gallery.search(asked, k=3)
                found.append((asked, any(plain(hit.metadata["emoji"]) in right for hit in hits), hits))
        return found


def plain(sign: str) -> str:
    """An emoji without variation selectors, which pictures do not show."""
    return sign.replace("\ufe0f", "")


def percent(figure: Figure) -> str:
    """A figure with its interval, in words."""
    return f"{100 * figure.value:.1f} % [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def descriptor(demo: Demo) -> Step:
    """A picture is N numbers."""
    vector = demo.vectors(np.array([demo.row("🐱")]))[0]
    shown = ", ".join(f"{one:.3f}" for one in vector[:5])
    return Step(
        "A descriptor is N numbers",
        f"A network that learned from a million photos turns each picture into {len(vector):,} numbers of length 1.",
        f"🐱 is ({shown}, ...)",
        "nearkin embed lite0 PICTURES --out vectors.parquet",
        {"dimension": len(vector), "first": [round(float(one), 3) for one in vector[:5]]},
    )


def distances(demo: Demo) -> Step:
    """Like things lie near each other."""
    cat, dog, car = demo.vectors(np.array([demo.row(one) for one in ("🐱", "🐶", "🚗")]))
    near, far = float(cat @ dog), float(cat @ car)
    return Step(
        "Like things lie near each other",
        "The cosine of two vectors of length 1 is x.y; the distance follows from it: |x - y|^2 = 2 - 2 x.y.",
        f"🐱 and 🐶: cosine {near:.2f}, distance {(2 - 2 * near) ** 0.5:.2f}; "
        f"🐱 and 🚗: {far:.2f} and {(2 - 2 * far) ** 0.5:.2f}",
        "nearkin index lite0 PICTURES galleries/mine && nearkin search galleries/mine PICTURE",
        {"cat and dog": round(near, 3), "cat and car": round(far, 3)},
    )


def training(demo: Demo) -> Step:
    """Softmax and triplets, before and after, on classes that were not trained on."""
    rows, labels = demo.of("test")
    tones = np.unique([next((c for c in demo.emoji[row] if c in data.SKIN_TONES), "") for row in rows], return_inverse=True)[1]
    encoders = {"frozen": None, **demo.people}
    figures = {
        name: retrieval(demo.vectors(rows, one), labels, exclude_same=tones)["recall@1"] for name, one in encoders.items()
    }
    _draw_maps(demo, rows, labels)
    return Step(
        "Training: softmax, and triplets",
        f"Learned on {len(demo.parts['train'])} people and hands that skin tone and gender do not matter; "
        f"judged on {len(demo.parts['test'])} others, each asking for itself in another skin tone.",
        f"recall@1 before {percent(figures['frozen'])}, softmax {percent(figures['softmax'])}, "
        f"triplets {percent(figures['triplet'])}",
        "nearkin train PICTURES --loss batch-hard-triplet",
        {name: _plain(one) for name, one in figures.items()},
        ("before.png", "after.png"),
    )


def neighbours(demo: Demo) -> Step:
    """Nearest neighbours: exact, and by locality-sensitive hashing."""
    vectors = np.ascontiguousarray(demo.vectors(np.arange(len(demo.items)), demo.people["triplet"]), np.float32)
    scores = vectors @ vectors.T
    exact = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    found = {}
    for bits in LshIndex.settings:
        hashes = np.array([[int(bit) for bit in one] for one in LshIndex.empty(vectors, "cosine", bits, seed=0).hashes(vectors)])
        signs = (2 * hashes - 1).astype(np.float32)
        near = np.argsort(-(signs @ signs.T), axis=1, kind="stable")[:, :10]
        found[bits] = float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, near, strict=True)]))
    shown = ", ".join(f"{bits} bits {100 * share:.1f} %" for bits, share in found.items())
    return Step(
        "Nearest neighbours, exact and hashed",
        "Locality-sensitive hashing keeps a bit for the side of a random plane: near vectors share most bits.",
        f"of the 10 true neighbours among {len(vectors):,} pictures the hashes find: {shown}",
        "nearkin gallery build galleries/mine --kind lsh",
        {str(bits): round(share, 3) for bits, share in found.items()},
    )


def verification(demo: Demo) -> Step:
    """Same or different, at a promised rate."""
    encoder = demo.people["triplet"]
    rows, labels = demo.of("calibrate")
    calibration = fit_calibration(demo.vectors(rows, encoder), labels, fingerprint=encoder.fingerprint)
    limit = calibration.threshold(0.01)
    rows, labels = demo.of("test")
    vectors = demo.vectors(rows, encoder)
    above, upper = vectors @ vectors.T >= limit.score, np.triu_indices(len(rows), 1)
    same = (labels[:, None] == labels)[upper]
    far, tar = float(above[upper][~same].mean()), float(above[upper][same].mean())
    return Step(
        "Same or different, at a promised rate",
        f"A threshold that lets 1 % of different pairs pass, found on {len(demo.parts['calibrate'])} classes, tried on others.",
        f"of different pairs {100 * far:.2f} % pass (promised 1 %, there [{100 * limit.far_low:.2g}, "
        f"{100 * limit.far_high:.2g}]), of same pairs {100 * tar:.1f} %",
        "nearkin calibrate lite0 PICTURES --out models/mine && nearkin verify models/mine A.jpg B.jpg --far 0.01",
        {"promised": 0.01, "false accepts": round(far, 4), "true accepts": round(tar, 3), "threshold": round(limit.score, 3)},
    )


def groups(demo: Demo) -> Step:
    """Groups, without a number being given."""
    rows, labels = demo.of("test")
    found = cluster(demo.vectors(rows, demo.people["triplet"]))
    figures = clustering(found, labels)
    return Step(
        "Groups",
        f"{len(rows)} pictures of {labels.max() + 1} classes, sorted without labels and without a number of groups.",
        f"{len(np.unique(found[found >= 0]))} groups; BCubed F {percent(figures['bcubed_f'])}",
        "nearkin cluster galleries/mine",
        {"groups": len(np.unique(found[found >= 0])), "bcubed_f": _plain(figures["bcubed_f"])},
    )


def recognition(demo: Demo) -> Step:
    """One picture enrolled; others recognised; strangers unknown."""
    encoder = demo.people["triplet"]
    rows, labels = demo.of("test")
    vectors = demo.vectors(rows, encoder)
    known = labels < (labels.max() + 1) // 2
    first = np.array([np.flatnonzero(labels == one)[0] for one in np.unique(labels[known])])
    calibration_rows, calibration_labels = demo.of("calibrate")
    others = demo.vectors(calibration_rows, encoder)
    # The threshold that 5 % of strangers reach, among people who are none of those asked here.
    limit = float(np.quantile((others @ vectors[first].T).max(1), 0.95))
    scores = vectors @ vectors[first].T
    asks = np.setdiff1d(np.flatnonzero(known), first)
    named = (scores[asks].argmax(1) == labels[asks]) & (scores[asks].max(1) >= limit)
    passed = (scores[~known].max(1) >= limit).mean()
    return Step(
        "One picture enrolled, others recognised, strangers unknown",
        f"{len(first)} classes are taught by one picture each; a threshold that 5 % of strangers may reach decides.",
        f"{100 * named.mean():.1f} % of {len(asks)} further pictures get their name; of {int((~known).sum())} of strangers "
        f"{100 * passed:.1f} % get one",
        "nearkin enroll galleries/mine Anna anna.jpg && nearkin recognize galleries/mine PICTURE",
        {"named": round(float(named.mean()), 3), "strangers named": round(float(passed), 3)},
    )


def zero_shot(demo: Demo) -> Step:
    """Classes that are known by their word alone."""
    of_word = {plain(sign): number for number, word in enumerate(WORDS) for sign in word.right}
    rows = np.array([row for row in np.flatnonzero(demo.held_out) if plain(demo.emoji[row]) in of_word])
    right = np.array([of_word[plain(demo.emoji[row])] for row in rows])
    words = demo.two_towers.embed_texts([word.en for word in WORDS])
    hit = (demo.vectors(rows, demo.two_towers) @ words.T).argmax(1) == right
    by_word = [hit[right == number].mean() for number in np.unique(right)]
    return Step(
        "Zero-shot: classes known by a word alone",
        f"{len(rows)} pictures, none of them trained on, each get the nearest of {len(WORDS)} English words.",
        f"{100 * float(np.mean(by_word)):.1f} % of a class are right, as a mean over classes; chance {100 / len(WORDS):g} %",
        'nearkin enroll galleries/mine cup --text "a red cup" && nearkin recognize galleries/mine PICTURE',
        {"right": round(float(np.mean(by_word)), 3), "chance": 1 / len(WORDS)},
    )


def words(demo: Demo) -> Step:
    """Words in two languages find what they say."""
    found = {language: sum(right for _, right, _ in demo.answers[start::2]) for start, language in ((0, "ru"), (1, "en"))}
    sheet = demo.out / "words.png"
    save_sheet(draw_sheet(demo.gallery, [(asked, hits) for asked, _, hits in demo.answers]), sheet)
    missed = ", ".join(asked for asked, right, _ in demo.answers if not right)
    return Step(
        "Words in two languages",
        f"{len(WORDS)} Russian words and the same in English, asked of the {int(demo.held_out.sum())} emoji that were held out.",
        f"a right picture among the first 3: {found['ru']} of {len(WORDS)} in Russian, {found['en']} of {len(WORDS)} in English"
        + (f"; missed: {missed}" if missed else ""),
        'nearkin search galleries/mine "кошка"',
        {**found, "missed": missed},
        (sheet.name,),
    )


def mixture(demo: Demo) -> Step:
    """A picture and a word at once."""
    query = [(demo.items.uris[demo.row("🐱")], 1.0), ("heart", 1.0)]
    hits = demo.gallery.search(query, k=6, exclude_self=True)
    shown = " ".join(hit.metadata["emoji"] for hit in hits)
    sheet = demo.out / "mixture.png"
    save_sheet(draw_sheet(demo.gallery, [(query, hits)]), sheet)
    return Step(
        "A mixture",
        "The vectors of a picture and of a word are added, and the sum is searched for.",
        f'🐱 + "heart" finds {shown}',
        "nearkin search galleries/mine 'cat.jpg + 0.5 * \"red\"'",
        {"found": shown},
        (sheet.name,),
    )


STEPS: tuple[Callable[[Demo], Step], ...] = (
    descriptor, distances, training, neighbours, verification, groups, recognition, zero_shot, words, mixture,
)  # fmt: skip


def write_page(steps: Sequence[Step], out: Path) -> Path:
    """The page with all steps and pictures, and their figures as `figures.json`; the page's path."""
    figures = {step.title: step.figures for step in steps}
    write_whole(out / "figures.json", json.dumps(figures, ensure_ascii=False, indent=2) + "\n")
    parts = ["<!doctype html><meta charset=utf-8><title>nearkin: the demo</title>"]
    parts.append("<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}img{max-width:100%}")
    parts.append("code{background:#eee;padding:.2em .4em}</style><h1>nearkin: the demo</h1>")
    for number, step in enumerate(steps, 1):
        pictures = "".join(f'<p><img src="{html.escape(name)}" alt="{html.escape(step.title)}">' for name in step.pictures)
        parts.append(
            f"<h2>{number}. {html.escape(step.title)}</h2><p>{html.escape(step.idea)}<p><b>{html.escape(step.found)}</b>"
            f"{pictures}<p>With your own pictures: <code>{html.escape(step.command)}</code>"
        )
    page = out / "demo.html"
    write_whole(page, "\n".join(parts) + "\n")
    return page


def _plain(figure: Figure) -> dict[str, float]:
    values = asdict(figure)
    return {name: round(float(values[name]), 4) for name in ("value", "low", "high")}


def _draw_maps(demo: Demo, rows: np.ndarray, labels: np.ndarray) -> None:
    """Eight classes that were not trained on, in the plane that shows most of their spread, before and after."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    shown = labels < 8
    for name, encoder in (("before", None), ("after", demo.people["triplet"])):
        vectors = demo.vectors(rows[shown], encoder)
        centred = vectors - vectors.mean(0)
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
        x, y = (centred @ axes[:2].T).T
        figure, plot = pyplot.subplots(figsize=(5, 4.2), dpi=80)
        plot.scatter(x, y, c=labels[shown], cmap="tab10", s=28)
        plot.set(title=f"{name} training: 8 classes it was not trained on", xticks=[], yticks=[])
        figure.tight_layout()
        figure.savefig(demo.out / f"{name}.png")
        pyplot.close(figure)
