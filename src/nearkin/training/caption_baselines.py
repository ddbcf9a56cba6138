"""What a report on captions is compared with: a text tower that learned little from few captions shows beside these.

Both are fitted in closed form to the pictures trained on. The features of a picture, as its network makes them, are
mapped linearly to the vectors of its captions: W = (F'F + s I)^-1 F'Y, centred, with s the mean of F'F's diagonal. "bag
of words": the vector of a text has the inverse document frequency of each of its words. "frozen towers": it is e5's,
beside a text tower on e5. Pictures and texts are compared by cosine.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from nearkin.arrays import unit
from nearkin.data.captions import encode_texts
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.texts._e5 import mean_state
from nearkin.encoders.texts._on_e5 import OnE5
from nearkin.evaluation.protocol import Embeddings
from nearkin.training.batches import TrainingData
from nearkin.training.features import pooled_features

# Pictures to fit to, at most, and words to count.
SAMPLE = 4000
WORDS = 2000
_BATCH = 256


def caption_baselines(encoder: Encoder, train: TrainingData, val: TrainingData, *, seed: int) -> dict[str, Embeddings]:
    """Embeddings of the held-out pictures and of their texts, by the name of the baseline.

    Args:
        encoder: whose network makes the features.
        train, val: pictures with captions.
        seed: of the sample that is fitted to.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(train.items))[:SAMPLE])
    features, held_out = pooled_features(encoder, train, rows), pooled_features(encoder, val)
    texts, owner = train.items.select(rows).texts()
    asked = val.items.texts()[0]
    ways = {"bag of words": bags_of_words(texts, asked)}
    if isinstance(encoder.text, OnE5):
        ways["frozen towers"] = _by_e5(encoder, texts), _by_e5(encoder, asked)
    found = {}
    for name, (fitted, vectors) in ways.items():
        mean = fitted.mean(0)
        own = np.zeros((len(rows), fitted.shape[1]), np.float32)
        np.add.at(own, owner, unit(fitted - mean))
        mapped = regressed(features, own / np.bincount(owner, minlength=len(rows))[:, None], held_out)
        found[name] = Embeddings(unit(mapped), unit(vectors - mean))
    return found


def regressed(
    features: Float[np.ndarray, "n features"],
    targets: Float[np.ndarray, "n dim"],
    others: Float[np.ndarray, "m features"],
) -> Float[np.ndarray, "m dim"]:
    """Targets of other features, by ridge regression.

    Example:
        >>> x = np.eye(3, dtype=np.float32)
        >>> regressed(x, 2 * x, x).argmax(1).tolist()
        [0, 1, 2]
    """
    mean = features.mean(0)
    centred = features - mean
    products = centred.T @ centred
    products[np.diag_indices_from(products)] += products.trace() / len(products) + 1e-6
    weights = np.linalg.solve(products, centred.T @ targets)
    return ((others - mean) @ weights).astype(np.float32)


def bags_of_words(
    texts: Sequence[str], others: Sequence[str]
) -> tuple[Float[np.ndarray, "n words"], Float[np.ndarray, "m words"]]:
    """Inverse document frequencies of the words of texts, and of other texts, among the commonest words of the first.

    Example:
        >>> bags_of_words(["a cat", "a dog"], ["Dog!"])[1].argmax(1).tolist()
        [2]
    """
    documents = Counter(word for text in texts for word in set(_words(text)))
    places = {word: place for place, word in enumerate(sorted(word for word, _ in documents.most_common(WORDS)))}

    def bags(some: Sequence[str]) -> np.ndarray:
        found = np.zeros((len(some), max(1, len(places))), np.float32)
        for row, text in enumerate(some):
            for word in set(_words(text)) & places.keys():
                found[row, places[word]] = np.log(len(texts) / documents[word])
        return found

    return bags(texts), bags(others)


@torch.no_grad()
def _by_e5(encoder: Encoder, texts: Sequence[str]) -> Float[np.ndarray, "n width"]:
    """What e5 itself makes of texts."""
    assert isinstance(encoder.text, OnE5)
    found = []
    for start in range(0, len(texts), _BATCH):
        tokens, lengths = map(torch.from_numpy, encode_texts(encoder.tokenizer, texts[start : start + _BATCH]))
        found.append(mean_state(encoder.text.states(tokens, lengths), lengths).numpy())
    return np.concatenate(found)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
