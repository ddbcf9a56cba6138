"""Calibration of words: captions of known pictures, which show what words score that have no answer.

Words and pictures score lower than two pictures do, and how high the best score is depends on the gallery. So what is
kept is no threshold but queries: captions of held-out pictures. In any gallery they show which best score words reach
whose answer is not there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from nearkin.arrays import unit
from nearkin.data.languages import languages_of, script_of
from nearkin.errors import ArtefactError, EncoderMismatch, InvalidInput
from nearkin.files import write_whole

FORMAT = 1
# Fewer captions of a language carry no rate worth promising.
LEAST_CAPTIONS = 20
# Captions kept of each language, and pictures of each caption.
MOST_CAPTIONS, MOST_PICTURES = 1000, 8
# Share of queries without an answer that get a hit all the same, where no other is asked for.
DEFAULT_FPIR = 0.1


@dataclass(frozen=True, eq=False)
class WordCalibration:
    """Captions of held-out pictures, as unit vectors.

    Args:
        fingerprint: of the encoder that they are of.
        source: name of the data.
        texts: of the captions `[m, dim]`.
        owners: for each caption a number `[m]`; captions of one picture have the same one, pictures vary less.
        languages: of each caption: "ru" of a column `caption_ru`, else its script, "cyrillic".
        scripts: of each language's letters, by language.
        pictures: that the captions are of `[n, dim]`; these are left out where a gallery holds them.
        picture_of: rows of `pictures` for each caption `[m, most]`, -1 where there are fewer.

    Example:
        >>> captions = [f"heart {number}" for number in range(40)]
        >>> words = word_calibration(np.eye(40), np.eye(40), np.arange(40), captions, fingerprint="example")
        >>> words.languages_like("a star"), words.languages_like("звезда")
        (['latin'], [])
    """

    fingerprint: str
    source: str
    texts: Float[np.ndarray, "m dim"]
    owners: Int[np.ndarray, " m"]
    languages: tuple[str, ...]
    scripts: Mapping[str, str]
    pictures: Float[np.ndarray, "n dim"]
    picture_of: Int[np.ndarray, "m most"]

    @property
    def counts(self) -> dict[str, int]:
        """Captions by language, the most first."""
        names, counts = np.unique(np.array(self.languages), return_counts=True)
        return {str(names[place]): int(counts[place]) for place in np.argsort(-counts, kind="stable")}

    def languages_like(self, text: str) -> list[str]:
        """The calibrated languages that words can be of, by the script of their letters; of all, if they have none."""
        script = script_of(text)
        return [language for language, own in self.scripts.items() if script in (own, "")]

    def of_language(self, language: str) -> Bool[np.ndarray, " m"]:
        """Which captions are of it."""
        return np.array(self.languages) == language

    def check(self, fingerprint: str) -> None:
        """Refuse an encoder other than its own.

        Raises:
            EncoderMismatch: another fingerprint.
        """
        if fingerprint != self.fingerprint:
            raise EncoderMismatch(
                f"the calibration of words belongs to encoder {self.fingerprint}, this is {fingerprint}: make a new "
                "one with `nearkin calibrate MODEL CAPTIONS`"
            )

    def write(self, path: Path) -> None:
        """Write it as safetensors; vectors in half precision."""
        arrays = {
            "texts": self.texts.astype(np.float16),
            "pictures": self.pictures.astype(np.float16),
            "owners": self.owners,
            "picture_of": self.picture_of,
        }
        facts = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "source": self.source,
            "languages": self.languages,
            "scripts": dict(self.scripts),
        }
        write_whole(path, save(arrays, metadata={"words": json.dumps(facts, ensure_ascii=False)}))

    @staticmethod
    def read(path: Path) -> "WordCalibration":
        """The inverse of `write`.

        Raises:
            ArtefactError: the file is damaged, or a newer nearkin wrote it.
        """
        from safetensors import safe_open

        try:
            arrays = load_file(path)
            with safe_open(path, framework="numpy") as file:
                facts = json.loads(file.metadata()["words"])
            if facts["format"] > FORMAT:
                raise ArtefactError(f"'{path}' has format {facts['format']}, this nearkin reads up to {FORMAT}")
            return WordCalibration(
                facts["fingerprint"],
                facts["source"],
                unit(arrays["texts"].astype(np.float32)),
                arrays["owners"],
                tuple(facts["languages"]),
                facts["scripts"],
                unit(arrays["pictures"].astype(np.float32)),
                arrays["picture_of"],
            )
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise ArtefactError(
                f"'{path}' is damaged ({error}): make a new one with `nearkin calibrate MODEL CAPTIONS`"
            ) from error


def word_calibration(
    images: Float[np.ndarray, "n dim"],
    texts: Float[np.ndarray, "m dim"],
    image_of_text: Int[np.ndarray, " m"],
    words: Sequence[str],
    *,
    fingerprint: str,
    languages: Mapping[str, str] | None = None,
    source: str = "arrays",
    seed: int = 0,
) -> WordCalibration:
    """What to judge words by, from captioned pictures that the encoder was not trained on.

    Args:
        images, texts: embeddings.
        image_of_text: for each text the row of its picture.
        words: the texts. Equal ones count once, for all their pictures.
        fingerprint: of the encoder.
        languages: of texts, as `Items.languages` has them.
        source: name of the data, kept with it.
        seed: random seed of which captions are kept, where there are very many.

    Raises:
        InvalidInput: too few captions.
    """
    _, first, groups = np.unique(np.array(words, dtype=np.str_), return_index=True, return_inverse=True)
    if len(first) < LEAST_CAPTIONS:
        raise InvalidInput(
            f"a calibration of words needs at least {LEAST_CAPTIONS} different captions; {source} has {len(first):,}"
        )
    of_words = languages_of([words[row] for row in first], languages or {})
    names, counts = np.unique([name for name in of_words if name] or [""], return_counts=True)
    several = [str(name) for name, count in zip(names, counts, strict=True) if count >= LEAST_CAPTIONS]
    # Where no language has enough captions, all are taken together.
    of_words = [name if name in several else "" for name in of_words] if several else [""] * len(first)
    random = np.random.default_rng(seed)
    kept = [
        np.sort(random.permutation(np.flatnonzero(np.array(of_words) == name))[:MOST_CAPTIONS])
        for name in (several or [""])
    ]
    chosen = np.concatenate(kept)
    owners = np.asarray(image_of_text)
    rows_of = [np.unique(owners[groups == group])[:MOST_PICTURES] for group in chosen]
    used = np.unique(np.concatenate(rows_of))
    picture_of = np.full((len(chosen), max(map(len, rows_of))), -1, dtype=np.int64)
    for place, rows in zip(picture_of, rows_of, strict=True):
        place[: len(rows)] = np.searchsorted(used, rows)
    scripts = {name: _script(words, first[chosen], of_words, chosen, name) for name in (several or [""])}
    return WordCalibration(
        fingerprint,
        source,
        unit(np.asarray(texts, dtype=np.float32)[first[chosen]]),
        picture_of[:, 0].copy(),
        tuple(of_words[group] for group in chosen),
        scripts,
        unit(np.asarray(images, dtype=np.float32)[used]),
        picture_of,
    )


def _script(words: Sequence[str], rows: np.ndarray, languages: Sequence[str], chosen: np.ndarray, language: str) -> str:
    """The script that most captions of a language are in."""
    own = [words[row] for row, group in zip(rows, chosen, strict=True) if languages[group] == language]
    return script_of(" ".join(own))
