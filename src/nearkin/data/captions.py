"""A byte-pair tokenizer trained on the captions: lower-cased Unicode NFKC, Russian and English alike."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from nearkin.errors import InvalidInput

PADDING = "[PAD]"
UNKNOWN = "[UNK]"
MAX_TOKENS = 64


def train_tokenizer(captions: Iterable[str], *, vocabulary: int = 8000) -> Tokenizer:
    """A BPE tokenizer whose merges come from these captions.

    Args:
        captions: texts to learn from.
        vocabulary: most tokens to keep, at least 2 (padding and unknown).

    Raises:
        InvalidInput: no caption holds a letter, or the vocabulary is too small.

    Example:
        >>> tokenizer = train_tokenizer(["red heart", "красное сердце"])
        >>> tokenizer.encode("RED сердце").tokens
        ['red', 'сердце']

    Source: Sennrich et al. 2016, arXiv:1508.07909.
    """
    if vocabulary < 2:
        raise InvalidInput(f"vocabulary is {vocabulary}, expected at least 2")
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=1, special_tokens=[PADDING, UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(captions, trainer)
    if tokenizer.get_vocab_size() <= 2:
        raise InvalidInput("captions: none of them holds a letter to learn from")
    return tokenizer


def encode_texts(
    tokenizer: Tokenizer | Any, texts: Sequence[str], *, max_tokens: int = MAX_TOKENS
) -> tuple[Int[np.ndarray, "n tokens"], Int[np.ndarray, " n"]]:
    """Token ids, padded with 0 to the longest text, and the number of tokens of each text (1 at least).

    Texts longer than `max_tokens` are cut there. A text without any token, such as "", is one unknown token. The
    tokenizer of a start cuts and pads in its own way.

    Example:
        >>> ids, lengths = encode_texts(train_tokenizer(["red heart", "heart"]), ["red heart", "heart"])
        >>> ids.shape, lengths.tolist()
        ((2, 2), [2, 1])
    """
    if not isinstance(tokenizer, Tokenizer):
        return cast(tuple[np.ndarray, np.ndarray], tokenizer.encode_padded(texts))
    unknown = tokenizer.token_to_id(UNKNOWN)
    assert unknown is not None
    rows = [encoding.ids[:max_tokens] or [unknown] for encoding in tokenizer.encode_batch(list(texts))]
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    ids = np.zeros((len(rows), int(lengths.max(initial=1))), dtype=np.int64)
    for row, tokens in zip(ids, rows, strict=True):
        row[: len(tokens)] = tokens
    return ids, lengths
