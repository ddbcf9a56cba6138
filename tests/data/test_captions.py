"""The tokenizer: case and Unicode forms do not matter, unknown signs do not break, lengths are right."""

import pytest

from nearkin.data.captions import UNKNOWN, encode_texts, train_tokenizer
from nearkin.errors import InvalidInput

CAPTIONS = ["A cat sits on a chair", "Кот сидит на стуле", "red heart", "красное сердце"]


def test_case_and_unicode_form_do_not_matter() -> None:
    tokenizer = train_tokenizer(CAPTIONS)
    ids, _ = encode_texts(tokenizer, ["КОТ СИДИТ НА СТУЛЕ", "кот сидит на стуле", "ｃａｔ", "cat"])
    assert ids[0].tolist() == ids[1].tolist()
    assert ids[2].tolist() == ids[3].tolist()


def test_new_words_are_made_of_known_parts() -> None:
    tokenizer = train_tokenizer(CAPTIONS)
    ids, lengths = encode_texts(tokenizer, ["стулик", "漢字", ""])
    unknown = tokenizer.token_to_id(UNKNOWN)
    assert lengths[0] > 1
    assert unknown in ids[1]
    assert ids[2, 0] == unknown
    assert lengths[2] == 1


def test_padding_and_cut() -> None:
    tokenizer = train_tokenizer(CAPTIONS)
    ids, lengths = encode_texts(tokenizer, ["red", "red heart " * 100], max_tokens=7)
    assert ids.shape == (2, 7)
    assert lengths.tolist() == [1, 7]
    assert (ids[0, 1:] == 0).all()
    assert (ids[1] > 0).all()


def test_vocabulary_is_a_limit() -> None:
    assert train_tokenizer(CAPTIONS * 3, vocabulary=40).get_vocab_size() <= 40


def test_nothing_to_learn_from() -> None:
    with pytest.raises(InvalidInput, match="none of them holds a letter"):
        train_tokenizer(["", "  "])
    with pytest.raises(InvalidInput, match="vocabulary is 1"):
        train_tokenizer(CAPTIONS, vocabulary=1)
