"""Asked in a language that training never saw: the same captions in English and in Russian, of the same photos.

    python benchmarks/languages.py MODEL --data DIR

DIR holds the unpacked set flickr8k_128; MODEL learned from its English captions (recipes/flickr8k.yaml). The gallery is
its 1,000 dev photos; 200 of them are asked for by their first caption, as it is and as translated by hand in
flickr8k_ru.tsv. Intervals of 95 %: bootstrap over photos.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

import nearkin
from nearkin.arrays import unit

TRANSLATIONS = Path(__file__).with_name("flickr8k_ru.tsv")
TIMES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="run or model folder")
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    encoder = nearkin.Encoder.from_pretrained(arguments.model)
    folder = arguments.data / "flickr8k_128"
    captions = read_captions(folder / "captions.tsv")
    photos = encoder.embed_images([folder / "images" / name for name in captions])
    with TRANSLATIONS.open(newline="", encoding="utf-8") as file:
        russian = {
            row["image"]: row["caption_ru"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        }
    row_of = {name: row for row, name in enumerate(captions)}
    own = np.array([row_of[name] for name in russian])
    texts = {
        "en": encoder.embed_texts([captions[name][0] for name in russian]),
        "ru": encoder.embed_texts(list(russian.values())),
    }
    print(f"{encoder.fingerprint}: {len(own)} captions, {len(photos):,} photos")
    print(f"{'':24}{'recall@1':>22}{'recall@10':>22}  ru / en at 10")
    for name, vectors in (
        ("as they are", texts),
        ("less the language's mean", {k: centred(v, texts["en"]) for k, v in texts.items()}),
    ):
        scores = {language: found @ photos.T for language, found in vectors.items()}
        ranks = {language: (one > one[np.arange(len(own)), own][:, None]).sum(1) for language, one in scores.items()}
        for language, rank in ranks.items():
            at = "  ".join(f"{interval(rank < k):>20}" for k in (1, 10))
            against = ratio(ranks["ru"] < 10, ranks["en"] < 10) if language == "ru" else ""
            print(f"{language} {name:21}  {at}  {against}")
        same = scores["en"].argmax(1) == scores["ru"].argmax(1)
        print(f"   the same first hit     {interval(same)}")


def read_captions(path: Path) -> dict[str, list[str]]:
    """Captions of the dev photos, by file name."""
    found: dict[str, list[str]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["split"] == "dev":
                found.setdefault(row["image"], []).append(row["caption"])
    return found


def centred(vectors: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Vectors moved so that their mean is that of others."""
    return unit(vectors - vectors.mean(0) + like.mean(0))


def interval(right: np.ndarray) -> str:
    """A share with its interval, in percent."""
    means = right[_drawn(len(right))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{100 * right.mean():.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def ratio(one: np.ndarray, other: np.ndarray) -> str:
    """How many times as often the one is right as the other, with its interval."""
    rows = _drawn(len(one))
    low, high = np.quantile(one[rows].mean(1) / np.maximum(other[rows].mean(1), 1e-9), [0.025, 0.975])
    return f"{one.mean() / other.mean():.2f} [{low:.2f}, {high:.2f}]"


def _drawn(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(count, size=(TIMES, count))


if __name__ == "__main__":
    main()
