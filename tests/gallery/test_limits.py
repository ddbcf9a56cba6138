"""Words that have no answer in a gallery get a hit at the promised rate; a mixture with words has none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.calibration.words import WordCalibration, word_calibration
from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.hits import WordLimit
from nearkin.gallery.limits import caption_limit
from tests.fakes import FakeEncoder, draw_noise

SHOWN, HELD_OUT = 30, 300


class Wordy(FakeEncoder):
    """Words are named after a number: "star 7" lies near the 7th of some random directions, "звезда 7" less near."""

    def __init__(self) -> None:
        super().__init__()
        self.directions = unit(np.random.default_rng(5).normal(size=(SHOWN + 3 * HELD_OUT, 16)).astype(np.float32))

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        vectors = []
        for text in texts:
            number = int(text.split()[1])
            noise = np.random.default_rng([number, text[0] == "з"]).normal(size=16)
            vectors.append(self.directions[number] + (0.15 if text[0] == "з" else 0.03) * noise)
        return unit(np.array(vectors, dtype=np.float32))

    def checked_word_calibration(self) -> WordCalibration:
        numbers = np.arange(SHOWN, SHOWN + HELD_OUT)
        words = [f"star {n}" for n in numbers] + [f"звезда {n}" for n in numbers]
        return word_calibration(
            self.directions[numbers],
            self.embed_texts(words),
            np.tile(np.arange(HELD_OUT), 2),
            words,
            fingerprint=self.fingerprint,
            source="stars",
        )


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    folder = tmp_path_factory.mktemp("words")
    encoder = Wordy()
    paths = draw_noise(folder / "pictures", range(SHOWN + 1))
    items = Items.build([Picture(str(path)) for path in paths], metadata={"number": list(range(SHOWN + 1))})
    made = Gallery.create(folder / "gallery", encoder)
    # The last one is also a picture of the calibration: its captions are no strangers to it.
    made.add_vectors(items, encoder.directions[: SHOWN + 1])
    return Gallery.open(folder / "gallery", encoder)


@pytest.mark.parametrize("word", ["star", "звезда"])
def test_words_without_an_answer_get_a_hit_at_the_promised_rate(gallery: Gallery, word: str) -> None:
    strangers = [f"{word} {n}" for n in range(SHOWN + HELD_OUT, SHOWN + 3 * HELD_OUT)]
    found = gallery.search_many(strangers, k=1, honest=True)
    limit = found[0].limit
    assert isinstance(limit, WordLimit)
    assert (limit.fpir, limit.compared, limit.captions) == (0.1, SHOWN + 1, HELD_OUT)
    assert limit.fpir_low <= np.mean([len(hits) for hits in found]) <= limit.fpir_high
    # Those whose answer is there keep it.
    there = gallery.search_many([f"{word} {n}" for n in range(SHOWN)], k=1, fpir=0.1)
    assert np.mean([len(hits) and hits[0].id == n for n, hits in enumerate(there)]) > 0.9


def test_each_language_has_a_limit_of_its_own_and_a_filter_another_one(gallery: Gallery) -> None:
    english, russian, other = gallery.search_many(["star 1", "звезда 1", "star 2"], honest=True)
    assert isinstance(english.limit, WordLimit)
    assert isinstance(russian.limit, WordLimit)
    assert (english.limit.language, russian.limit.language) == ("latin", "cyrillic")
    assert other.limit == english.limit
    few = gallery.search("star 1", fpir=0.1, where="number < 3").limit
    assert isinstance(few, WordLimit)
    # Fewer items, and so a lower best score of strangers.
    assert (few.compared, few.threshold < english.limit.threshold) == (3, True)
    strict = gallery.search("star 1", fpir=0.01).limit
    assert isinstance(strict, WordLimit)
    assert strict.threshold > english.limit.threshold


def test_captions_of_a_picture_in_the_gallery_are_no_strangers(gallery: Gallery) -> None:
    only = gallery.search("star 1", fpir=0.1, where=f"number = {SHOWN}").limit
    assert isinstance(only, WordLimit)
    assert (only.captions, only.compared) == (HELD_OUT - 1, 1)


@pytest.mark.parametrize(
    ("query", "options", "reason"),
    [
        ('"star 1" + "star 2"', {}, "honest: a mixture with words"),
        ('- "star 1"', {}, "honest: a mixture with words"),
        ('#1 + "star 2"', {"fpir": 0.1}, "honest: a mixture with words"),
        ("星 1", {}, r"no captions in the script of '星 1' were calibrated, only cyrillic \(cyrillic\), latin"),
        ("star 1", {"fpir": 0.0001}, "fpir 0.0001 needs more captions than the 300"),
        ("star 1", {"fpir": 2.0}, "fpir is 2"),
        ("#1", {}, "cannot have a calibration: give a threshold"),
    ],
)
def test_what_has_no_limit(gallery: Gallery, query: str, options: dict, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        gallery.search(query, **{"honest": True, **options})


def test_an_encoder_without_a_calibration_of_words(tmp_path: Path) -> None:
    made = Gallery.create(tmp_path / "gallery", FakeEncoder())
    made.add(Items.build([Picture(str(path)) for path in draw_noise(tmp_path / "p", [1])]))
    with pytest.raises(InvalidInput, match="cannot have a calibration of words"):
        made.search("red", honest=True)


def test_captions_of_one_picture_count_as_fewer() -> None:
    scores = np.random.default_rng(0).normal(size=100).repeat(5)
    apart = caption_limit(scores, np.arange(500), 0.1, 10)
    together = caption_limit(scores, np.arange(100).repeat(5), 0.1, 10)
    assert together.threshold >= apart.threshold
    assert together.fpir_high > apart.fpir_high
    with pytest.raises(InvalidInput, match="needs more captions"):
        caption_limit(np.full(500, -np.inf), np.arange(500), 0.1, 10)
