"""What the steps of the demo share: pictures, their features, what was trained on them, and a gallery."""

import hashlib
import re
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from nearkin.data.images import Preprocessing, stream_pixels
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder, as_pictures
from nearkin.errors import InvalidInput
from nearkin.files import written_whole
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.hits import Hit
from nearkin.progress import progress_bar
from nearkin.tasks import emoji as data
from nearkin.tasks.demo.heads import train_on_captions, train_on_labels, with_head
from nearkin.tasks.demo.snapshots import VIEWS, take_snapshots
from nearkin.tasks.demo.words import WORDS

START, SIDE = "lite0", 128
# Words need to know more of what is drawn: three networks side by side, on larger pictures.
START_OF_WORDS, SIDE_OF_WORDS = "lite012", 160
# Emoji that snapshots are taken of.
PHOTOGRAPHED = 400
TABLE = "emoji.csv"


def _start(name: str, side: int) -> Encoder:
    """A start for pictures of another size."""
    encoder = Encoder.from_pretrained(name)
    return Encoder(encoder.image, Preprocessing(height=side, width=side)).eval()


class Demo:
    """What the steps share. All is made when it is first asked for, and depends on the seed and on steps alone.

    Args:
        out: folder of the demo: a new one, an empty one, or one of an earlier demo.
        steps: of each training.

    Raises:
        InvalidInput: the folder holds something else.
        MissingDependency: the packages of the emoji are not installed.
    """

    def __init__(self, out: Path, *, steps: int = 600) -> None:
        self.out, self.steps = out, steps
        check_folder(out)
        out.mkdir(parents=True, exist_ok=True)
        every = read_items(data.write_emoji_table(out / TABLE))
        self.items: Items = data.without_skin_tones(every)
        self.emoji, self.base = ([str(one) for one in self.items.column(name)] for name in ("emoji", "base"))
        self.names = [texts[0] for texts in self.items.captions]

    def row(self, sign: str) -> int:
        """Of an emoji."""
        return self.emoji.index(sign)

    @cached_property
    def start(self) -> Encoder:
        """The frozen network, for small pictures."""
        return _start(START, SIDE)

    @cached_property
    def start_of_words(self) -> Encoder:
        """The frozen networks of pictures that are asked for in words."""
        return _start(START_OF_WORDS, SIDE_OF_WORDS)

    @cached_property
    def features(self) -> Float[np.ndarray, "n features"]:
        """Of every emoji."""
        return self._features(self.items, "emoji", self.start)

    @cached_property
    def features_of_words(self) -> Float[np.ndarray, "n features"]:
        """Of every emoji, by the networks that words go with."""
        return self._features(self.items, "emoji, for words", self.start_of_words)

    def _features(self, items: Items, name: str, start: Encoder) -> Float[np.ndarray, "n features"]:
        """What a frozen network makes of pictures; computed once, and kept in the folder."""
        files = (f"{uri} {Path(uri).stat().st_size}" for uri in items.uris)
        told = hashlib.sha256("\n".join([start.fingerprint, *files]).encode()).hexdigest()[:12]
        kept = self.out / f"features-{told}.npy"
        if kept.exists():
            return np.load(kept)
        parts = []
        with progress_bar(f"embedding pictures: {name}") as advance:
            size = start.pictures_together
            for batch in stream_pixels(items.pictures, start.preprocessing, batch_size=size, strict=True):
                with torch.inference_mode():
                    pixels = start.normalise(as_pictures(torch.from_numpy(batch.pixels)))
                    parts.append(start.image.features(pixels).numpy())
                advance(int(batch.rows[-1]) + 1, len(items))
        found = np.concatenate(parts)
        with written_whole(kept) as file:
            np.save(file, found)
        return found

    def vectors(
        self, features: Float[np.ndarray, "n features"], encoder: Encoder | None = None
    ) -> Float[np.ndarray, "n dim"]:
        """Unit vectors, of the frozen network or of an encoder with a head on it."""
        if encoder is not None:
            with torch.inference_mode():
                features = encoder.image.projection(torch.from_numpy(features)).numpy()
        return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)

    # -- Snapshots: a class for each emoji ---------------------------------------------------------------------------

    @cached_property
    def snapshots(self) -> Items:
        """Snapshots of some emoji, eight of each in a row, in a folder for each; no variants, and no signs."""
        plain = [
            row
            for row, sign in enumerate(self.emoji)
            if self.base[row] == as_drawn(sign) and not is_sign(sign, self.names[row])
        ]
        chosen = [plain[one] for one in np.random.default_rng(0).permutation(len(plain))[:PHOTOGRAPHED]]
        table = take_snapshots(
            self.out / "snapshots", [self.items.uris[row] for row in chosen], [self.names[row] for row in chosen]
        )
        return read_items(table)

    @cached_property
    def snapshot_features(self) -> Float[np.ndarray, "n features"]:
        """Of every snapshot."""
        return self._features(self.snapshots, "snapshots", self.start)

    @cached_property
    def parts(self) -> dict[str, Int[np.ndarray, " n"]]:
        """Rows of snapshots to train on, to calibrate on, and to judge by: half of the emoji, a quarter, a quarter."""
        emoji = self.labels.max() + 1
        first, second = emoji // 2, 3 * emoji // 4
        part = np.digitize(self.labels, [first, second])
        return {name: np.flatnonzero(part == number) for number, name in enumerate(("train", "calibrate", "test"))}

    @cached_property
    def labels(self) -> Int[np.ndarray, " n"]:
        """Of every snapshot: which emoji."""
        names = [str(one) for one in self.snapshots.labels]
        order = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([order[name] for name in names])

    @cached_property
    def view(self) -> Int[np.ndarray, " n"]:
        """Of every snapshot: its number among those of its emoji."""
        return np.arange(len(self.labels)) % VIEWS

    def of(
        self, part: str, encoder: Encoder | None = None
    ) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n dim"], Int[np.ndarray, " n"]]:
        """Rows of a part, their vectors, and their labels from 0."""
        rows = self.parts[part]
        labels = self.labels[rows]
        return rows, self.vectors(self.snapshot_features[rows], encoder), labels - labels.min()

    @cached_property
    def trained(self) -> dict[str, Encoder]:
        """Encoders trained on half of the classes, by each loss."""
        rows = self.parts["train"]
        features, labels = self.snapshot_features[rows], self.labels[rows]
        heads = {one: train_on_labels(features, labels, one, steps=self.steps) for one in ("softmax", "triplet")}
        return {
            one: Encoder(with_head(self.start.image, head), self.start.preprocessing).eval()
            for one, head in heads.items()
        }

    # -- Words -------------------------------------------------------------------------------------------------------

    @cached_property
    def held_out(self) -> Bool[np.ndarray, " n"]:
        """Emoji that no words are learned from: half of those of each of the twenty words, and the unseen kinds."""
        random, signs = np.random.default_rng(2), [as_drawn(sign) for sign in self.emoji]
        row_of = {sign: row for row, sign in enumerate(signs)}
        held_out = self.unseen_kinds.copy()
        for word in WORDS:
            rows = [row_of[as_drawn(sign)] for sign in word.right if as_drawn(sign) in row_of]
            held_out[random.permutation(rows)[: -(-len(rows) // 2)].astype(int)] = True
        return held_out

    @cached_property
    def unseen_kinds(self) -> Bool[np.ndarray, " n"]:
        """A fifth of the emoji of which no variant teaches words, and none of which a word of the twenty means."""
        named = {as_drawn(sign) for word in WORDS for sign in word.right}
        others = sorted(
            set(self.base) - {base for base, sign in zip(self.base, self.emoji, strict=True) if as_drawn(sign) in named}
        )
        bases = {others[one] for one in np.random.default_rng(1).permutation(len(others))[: len(others) // 5]}
        return np.array([base in bases for base in self.base])

    @cached_property
    def two_towers(self) -> Encoder:
        """Pictures and words in one space, learned from emoji that are not held out; kept as `model`."""
        rows = np.flatnonzero(~self.held_out)
        captions = [list(self.items.captions[row]) for row in rows]
        with progress_bar("reading names") as advance:
            encoder = train_on_captions(
                self.start_of_words, self.features_of_words[rows], captions, steps=self.steps, progress=advance
            )
        encoder.save_pretrained(self.out / "model")
        return encoder

    @cached_property
    def gallery(self) -> Gallery:
        """All that was held out, to be searched by words and pictures."""
        path = self.out / "gallery"
        if Gallery.is_at(path):
            shutil.rmtree(path)
        gallery = Gallery.create(path, self.two_towers)
        rows = np.flatnonzero(self.held_out)
        gallery.add_vectors(self.items.select(rows), self.vectors(self.features_of_words[rows], self.two_towers))
        return gallery

    @cached_property
    def answers(self) -> dict[str, list[tuple[str, bool, Sequence[Hit]]]]:
        """In Russian and in English: each word, whether a right picture is among the first three, and the hits."""
        found: dict[str, list[tuple[str, bool, Sequence[Hit]]]] = {"ru": [], "en": []}
        for word in WORDS:
            right = {as_drawn(sign) for sign in word.right}
            for language, asked in (("ru", word.ru), ("en", word.en)):
                hits = self.gallery.search(asked, k=3)
                found[language].append(
                    (asked, any(as_drawn(str(hit.metadata["emoji"])) in right for hit in hits), hits)
                )
        return found


def as_drawn(sign: str) -> str:
    """An emoji without variation selectors, which pictures do not show."""
    return sign.replace("\ufe0f", "")


def is_sign(sign: str, name: str) -> bool:
    """Whether it may become another emoji when it is turned, mirrored or seen in other light.

    Flags, hours of a clock, arrows, letters, and shapes that differ in colour.

    Example:
        >>> is_sign("🇫🇷", "France"), is_sign("🕗", "eight o’clock"), is_sign("🐱", "cat face")
        (True, True, False)
    """
    told = {"button", "arrow", "clock", "thirty", "heart", "circle", "square", "diamond", "sign", "input", "flag"}
    letters = "\U0001f1e6" <= sign[0] <= "\U0001f1ff" or sign[-1] == "\u20e3"
    return letters or not told.isdisjoint(re.findall("[a-z]+", name))


def check_folder(out: Path) -> None:
    """Check that a folder is free for the demo, which writes a model and a gallery into it.

    Raises:
        InvalidInput: something else is in it.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / TABLE).is_file():
        raise InvalidInput(f"--out: '{out}' holds other files: expected a new folder, or that of an earlier demo")
