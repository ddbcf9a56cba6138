"""Words: hubs before and after, and whether a promised rate of hits without an answer is found.

    python benchmarks/words.py embed MODEL DATA --out VECTORS.npz [--split all] [--without train.csv]
    python benchmarks/words.py promise VECTORS.npz [--fpir 0.2 0.1 0.05] [--splits 20]
    python benchmarks/words.py hubs VECTORS.npz [--bank BANK.npz]

DATA has captions, and pictures that the model was not trained on (`validation.csv` of its run folder). `embed` writes
what the others need: unit vectors of pictures and captions, whose picture each caption is, and its language.

`promise` draws, in each split, a third of the things as those of the calibration and a third as the gallery; captions
of the last third, whose pictures are not in the gallery, are asked. Things are pictures, and those with the same
captions are one (an emoji of three vendors). It says which share of these captions gets a hit at the promised rate, how
often the share lies within the stated interval, and how many captions whose pictures are there keep a hit.

`hubs` measures pictures that answer everything: the skewness of how often a picture is among the first 10 of a query,
the share of queries whose first hit is of the 1 % most frequent pictures, the share of pictures that are never among
the first 10, and recall. Before and after: removal of the captions' mean, of both means, of the strongest directions;
CSLS; inverted softmax by a bank of other captions (query-bank normalisation, also only where a hub comes first). The
bank is a half of the things, whose pictures are not searched; with `--bank` the captions of another file, such as
those trained on. Differences of recall@1 are paired, by thing.
"""

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nearkin.arrays import unit
from nearkin.calibration.words import word_calibration
from nearkin.gallery.limits import caption_limit
from nearkin.intervals.bootstrap import bootstrap_mean
from nearkin.intervals.figure import Figure

RATES = (0.2, 0.1, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("embed")
    one.add_argument("model")
    one.add_argument("data")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--split", default="all")
    one.add_argument("--without", nargs="*", default=[], help="tables of pictures that are left out")
    one = commands.add_parser("promise")
    one.add_argument("vectors", type=Path)
    one.add_argument("--fpir", type=float, nargs="+", default=RATES)
    one.add_argument("--splits", type=int, default=20)
    one = commands.add_parser("hubs")
    one.add_argument("vectors", type=Path)
    one.add_argument("--bank", type=Path)
    given = parser.parse_args()
    if given.command == "embed":
        embed(given.model, given.data, given.out, given.split, given.without)
    elif given.command == "promise":
        promise(Data.read(given.vectors), given.fpir, given.splits)
    else:
        hubs(Data.read(given.vectors), None if given.bank is None else Data.read(given.bank))


class Data:
    """Pictures and captions, embedded.

    Args:
        images, texts: unit vectors.
        owners: for each caption the row of its picture.
        words, languages: of each caption.
        things: of each picture; pictures that share a caption are of one.
    """

    def __init__(
        self, images: np.ndarray, texts: np.ndarray, owners: np.ndarray, words: np.ndarray, languages: np.ndarray
    ) -> None:
        self.images, self.texts, self.owners = images, texts, owners
        self.words, self.languages = words, languages
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        _, same = np.unique(words, return_inverse=True)
        total = len(images) + same.max() + 1
        graph = coo_matrix((np.ones(len(owners)), (owners, len(images) + same)), shape=(total, total))
        self.things = np.unique(connected_components(graph, directed=False)[1][: len(images)], return_inverse=True)[1]

    @staticmethod
    def read(path: Path) -> "Data":
        with np.load(path) as arrays:
            return Data(*(arrays[name] for name in ("images", "texts", "owners", "words", "languages")))

    def captions_of(self, things: np.ndarray) -> np.ndarray:
        """Rows of the captions of some things, each wording of a thing once."""
        rows = np.flatnonzero(np.isin(self.things[self.owners], things))
        keys = np.array([f"{self.things[self.owners[row]]} {self.words[row]}" for row in rows])
        return rows[np.sort(np.unique(keys, return_index=True)[1])]


def embed(model: str, source: str, out: Path, split: str, without: Sequence[str]) -> None:
    """Write the vectors."""
    import nearkin
    from nearkin.data.languages import languages_of
    from nearkin.data.splits import of_split
    from nearkin.tasks.embedded import embed_items

    encoder = nearkin.Encoder.from_pretrained(model)
    items = of_split(nearkin.read_items(source), split)
    left_out: set[str] = set()
    for table in without:
        with Path(table).open(newline="", encoding="utf-8") as file:
            left_out |= {next(iter(row.values())) for row in csv.DictReader(file)}
    items = items.select([row for row, uri in enumerate(items.uris) if uri not in left_out])
    embedded = embed_items(encoder, items)
    texts, owners = embedded.items.texts()
    np.savez(
        out,
        images=embedded.vectors,
        texts=encoder.embed_texts(texts),
        owners=owners,
        words=np.array(texts),
        languages=np.array(languages_of(texts, items.languages)),
    )


def promise(data: Data, rates: Sequence[float], splits: int) -> None:
    """Promised and found rates, by language."""
    languages = [str(name) for name in np.unique(data.languages) if name]
    found: dict[tuple[str, float], list[tuple[float, bool, float, float]]] = {}
    for split in range(splits):
        mixed = np.random.default_rng(split).permutation(data.things.max() + 1)
        kept, shown, strangers = np.array_split(mixed, 3)
        pictures = np.flatnonzero(np.isin(data.things, kept))
        captions = data.captions_of(kept)
        calibration = word_calibration(
            data.images[pictures],
            data.texts[captions],
            np.searchsorted(pictures, data.owners[captions]),
            data.words[captions].tolist(),
            fingerprint="benchmark",
            languages=dict(zip(data.words.tolist(), data.languages.tolist(), strict=True)),
            seed=split,
        )
        gallery = data.images[np.isin(data.things, shown)]
        for language in languages:
            best = (calibration.texts[calibration.of_language(language)] @ gallery.T).max(1)
            owners = calibration.owners[calibration.of_language(language)]
            asked, there = (
                (data.texts[rows[data.languages[rows] == language]] @ gallery.T).max(1)
                for rows in (data.captions_of(strangers), data.captions_of(shown))
            )
            for rate in rates:
                limit = caption_limit(best, owners, rate, len(gallery), language)
                share = float((asked >= limit.threshold).mean())
                within = limit.fpir_low <= share <= limit.fpir_high
                found.setdefault((language, rate), []).append(
                    (share, within, float((there >= limit.threshold).mean()), limit.fpir_high - limit.fpir_low)
                )
    print("| language | promised | found, mean of the splits | least, most | within the stated interval | its width |")
    print("|---|---|---|---|---|---|")
    for (language, rate), several in found.items():
        shares, within, kept_hits, widths = (np.array(column, dtype=float) for column in zip(*several, strict=True))
        print(
            f"| {language} | {100 * rate:g} % | {100 * shares.mean():.1f} % | {100 * shares.min():.1f}, "
            f"{100 * shares.max():.1f} | {int(within.sum())} of {len(within)} | {100 * widths.mean():.1f} |"
            f" answers there, with a hit: {100 * kept_hits.mean():.1f} %"
        )


Method = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def hubs(data: Data, bank: Data | None) -> None:
    """Before and after, by language."""
    everything = np.arange(data.things.max() + 1)
    searched = everything if bank is not None else np.random.default_rng(0).permutation(everything)[::2]
    others = np.setdiff1d(everything, searched)
    pictures = np.flatnonzero(np.isin(data.things, searched))
    texts = bank.texts if bank is not None else data.texts[data.captions_of(others)]
    seen = bank.images if bank is not None else data.images[np.isin(data.things, others)]
    texts = texts[np.random.default_rng(0).permutation(len(texts))[:5000]]
    captions = data.captions_of(searched)
    print("| language | method | recall@1, difference | recall@10 | skewness | first hits of 1 % | never found |")
    print("|---|---|---|---|---|---|---|")
    for language in [str(name) for name in np.unique(data.languages) if name]:
        rows = captions[data.languages[captions] == language]
        things = data.things[data.owners[rows]]
        right = data.things[pictures][None] == things[:, None]
        before = None
        for name, method in METHODS.items():
            scores = method(data.texts[rows], data.images[pictures], texts, seen)
            ranks = (scores > np.where(right, scores, -np.inf).max(1)[:, None]).sum(1)
            first = (ranks < 1).astype(float)
            before = first if before is None else before
            gain = "" if first is before else f", {_shown(bootstrap_mean(first - before, groups=things))}"
            print(
                f"| {language} | {name} | {100 * first.mean():.1f} %{gain} | {100 * (ranks < 10).mean():.1f} % | "
                + " | ".join(_of_hubs(scores))
                + " |"
            )


def _of_hubs(scores: np.ndarray, k: int = 10) -> list[str]:
    """Skewness of k-occurrence, share of first hits of the most frequent 1 %, share of pictures never found."""
    top = np.argsort(-scores, axis=1)[:, :k]
    often = np.bincount(top.reshape(-1), minlength=scores.shape[1]).astype(float)
    skewness = ((often - often.mean()) ** 3).mean() / often.std() ** 3
    first = np.sort(np.bincount(top[:, 0], minlength=scores.shape[1]))[::-1]
    most = first[: max(1, len(first) // 100)].sum() / len(scores)
    return [f"{skewness:.2f}", f"{100 * most:.1f} %", f"{100 * (often == 0).mean():.0f} %"]


def _plain(asked: np.ndarray, pictures: np.ndarray, texts: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return asked @ pictures.T


def _captions_centred(asked: np.ndarray, pictures: np.ndarray, texts: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return unit(asked - texts.mean(0)) @ pictures.T


def _both_centred(asked: np.ndarray, pictures: np.ndarray, texts: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return unit(asked - texts.mean(0)) @ unit(pictures - seen.mean(0)).T


def _without_directions(count: int) -> Method:
    """Mu & Viswanath 2018, arXiv:1702.01417: all but the top."""

    def scores(asked: np.ndarray, pictures: np.ndarray, texts: np.ndarray, seen: np.ndarray) -> np.ndarray:
        centred, mean = texts - texts.mean(0), texts.mean(0)
        top = np.linalg.svd(centred, full_matrices=False)[2][:count]
        moved = asked - mean
        return unit(moved - (moved @ top.T) @ top) @ pictures.T

    return scores


def _csls(asked: np.ndarray, pictures: np.ndarray, texts: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Conneau et al. 2018, arXiv:1710.04087; what depends on the query alone does not change its order."""
    nearest = np.sort(texts @ pictures.T, axis=0)[-10:].mean(0)
    return 2 * asked @ pictures.T - nearest


def _inverted_softmax(sharpness: float, *, hubs_only: bool = False) -> Method:
    """Smith et al. 2017, arXiv:1702.03859; only where a hub comes first: Bogolin et al. 2022, arXiv:2112.12777."""

    def scores(asked: np.ndarray, pictures: np.ndarray, texts: np.ndarray, seen: np.ndarray) -> np.ndarray:
        bank = texts @ pictures.T
        most = bank.max(0)
        offset = most + np.log(np.exp(sharpness * (bank - most)).mean(0)) / sharpness
        plain = asked @ pictures.T
        if not hubs_only:
            return plain - offset
        hub = np.isin(plain.argmax(1), bank.argmax(1))
        return np.where(hub[:, None], plain - offset, plain)

    return scores


METHODS: dict[str, Method] = {
    "as it is": _plain,
    "captions' mean removed": _captions_centred,
    "both means removed": _both_centred,
    "without the strongest direction": _without_directions(1),
    "without the 4 strongest": _without_directions(4),
    "CSLS, 10 neighbours": _csls,
    "inverted softmax, 10": _inverted_softmax(10),
    "inverted softmax, 20": _inverted_softmax(20),
    "query-bank normalisation, 20": _inverted_softmax(20, hubs_only=True),
}


def _shown(figure: Figure) -> str:
    """A difference in points."""
    if figure.low is None or figure.high is None:
        return f"{100 * figure.value:+.1f}"
    return f"{100 * figure.value:+.1f} [{100 * figure.low:+.1f}, {100 * figure.high:+.1f}]"


if __name__ == "__main__":
    main()
