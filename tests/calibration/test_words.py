from pathlib import Path

import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.calibration.words import MOST_CAPTIONS, WordCalibration, word_calibration
from nearkin.errors import ArtefactError, EncoderMismatch, InvalidInput


def of_two_languages(count: int = 30) -> WordCalibration:
    random = np.random.default_rng(0)
    pictures, texts = random.normal(size=(count, 8)), random.normal(size=(2 * count, 8))
    words = [f"heart {number}" for number in range(count)] + [f"сердце {number}" for number in range(count)]
    return word_calibration(
        pictures,
        texts,
        np.tile(np.arange(count), 2),
        words,
        fingerprint="f",
        languages=dict.fromkeys(words[:count], "en"),
        source="hearts",
    )


def test_languages_by_column_or_by_script() -> None:
    words = of_two_languages()
    assert words.counts == {"cyrillic": 30, "en": 30}
    assert words.scripts == {"cyrillic": "cyrillic", "en": "latin"}
    assert words.languages_like("a star") == ["en"]
    assert words.languages_like("звезда") == ["cyrillic"]
    assert words.languages_like("星") == []
    # What has no letters can be of any language.
    assert words.languages_like("❤ 2") == ["cyrillic", "en"]


def test_a_file_gives_it_back(tmp_path: Path) -> None:
    words = of_two_languages()
    words.write(tmp_path / "words")
    again = WordCalibration.read(tmp_path / "words")
    assert (again.fingerprint, again.source, again.languages, again.scripts) == (
        "f",
        "hearts",
        words.languages,
        words.scripts,
    )
    np.testing.assert_allclose(again.texts, words.texts, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(again.pictures, axis=1), 1, rtol=1e-6)
    assert (again.picture_of == words.picture_of).all()
    again.check("f")
    with pytest.raises(EncoderMismatch, match="belongs to encoder f, this is g"):
        again.check("g")
    (tmp_path / "words").write_bytes(b"broken")
    with pytest.raises(ArtefactError, match="make a new one with `nearkin calibrate MODEL CAPTIONS`"):
        WordCalibration.read(tmp_path / "words")


def test_equal_captions_count_once_for_all_their_pictures() -> None:
    pictures, texts = np.eye(40), unit(np.ones((40, 40)) + np.eye(40))
    names = [f"word {number // 2}" for number in range(40)]
    words = word_calibration(pictures, texts, np.arange(40), names, fingerprint="f")
    assert len(words.texts) == 20
    shown = words.pictures[words.picture_of]
    assert shown.shape == (20, 2, 40)
    # The two pictures of a caption are neighbours in the order of the rows.
    assert sorted(np.flatnonzero(pair.any(0)).tolist() for pair in shown) == [[2 * n, 2 * n + 1] for n in range(20)]


def test_too_few_captions_and_very_many() -> None:
    with pytest.raises(InvalidInput, match="needs at least 20 different captions; arrays has 19"):
        word_calibration(np.eye(19), np.eye(19), np.arange(19), [f"w {n}" for n in range(19)], fingerprint="f")
    count = MOST_CAPTIONS + 5
    vectors = np.random.default_rng(0).normal(size=(count, 4))
    many = word_calibration(vectors, vectors, np.arange(count), [f"w {n}" for n in range(count)], fingerprint="f")
    assert many.counts == {"latin": MOST_CAPTIONS}
    # Where no language has enough captions, they are taken together.
    mixed = [f"w {n}" for n in range(12)] + [f"с {n}" for n in range(12)]
    assert word_calibration(np.eye(24), np.eye(24), np.arange(24), mixed, fingerprint="f").counts == {"": 24}
