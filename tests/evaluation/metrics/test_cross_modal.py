import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearkin.arrays import unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.cross_modal import cross_modal, cross_modal_by_chance


def slow_cross_modal(images, texts, owners, ks):
    """The protocol, one query at a time: the rank of the own answer, behind all that score as high."""
    scores = np.round(unit(texts) @ unit(images).T, 5)
    text_ranks = [1 + sum(row[own] <= other for i, other in enumerate(row) if i != own)
                  for row, own in zip(scores, owners, strict=True)]  # fmt: skip
    image_ranks = [
        1 + sum(scores[owners == image, image].max() <= scores[owners != image, image])
        for image in sorted(set(owners.tolist()))
    ]
    result = {}
    for way, ranks in (("text_to_image", text_ranks), ("image_to_text", image_ranks)):
        result |= {f"{way}/recall@{k}": np.mean(np.array(ranks) <= k) for k in ks}
        result[f"{way}/median_rank"] = np.median(ranks)
    return result


def pairs(seed, images=25, captions=3, dim=5, noise=0.7):
    generator = np.random.default_rng(seed)
    owners = generator.permutation(np.repeat(np.arange(images), captions))
    pictures = generator.normal(size=(images, dim))
    return pictures, pictures[owners] + noise * generator.normal(size=(len(owners), dim)), owners


def adversarial():
    images, texts, owners = pairs(0)
    yield "several captions", images, texts, owners
    yield "one caption each", *pairs(1, captions=1)
    yield "same words for several pictures", images, texts[np.arange(75) % 10], owners
    yield "pictures without a caption", images, texts[owners > 5], owners[owners > 5]
    yield "all equal", np.ones((25, 5)), np.ones((75, 5)), owners
    yield "one picture", images[:1], texts[:4], np.zeros(4, dtype=np.int64)


@pytest.mark.parametrize(("images", "texts", "owners"), [pytest.param(*case[1:], id=case[0]) for case in adversarial()])
def test_equals_the_slow_twin(images, texts, owners):
    ks = (1, 2, 10, 500)
    figures = cross_modal(images, texts, owners, ks=ks)
    expected = slow_cross_modal(images, texts, owners, ks)
    assert {name: figure.value for name, figure in figures.items()} == pytest.approx(expected)


def test_constant_embeddings_find_nothing():
    _, _, owners = pairs(0)
    figures = cross_modal(np.ones((25, 64)), np.ones((75, 64)), owners)
    assert figures["text_to_image/recall@10"].value == 0.0
    assert figures["text_to_image/median_rank"].value == 25
    assert figures["image_to_text/median_rank"].value == 73


def slow_with_equal_texts(images, texts, owners, words, k):
    """Recall both ways, one query at a time: any picture with the words, and any text with words of the picture."""
    scores = np.round(unit(texts) @ unit(images).T, 5)
    has = {(word, owner) for word, owner in zip(words, owners, strict=True)}

    def found(row, right):
        best = max(row[position] for position in right)
        return 1 + sum(best <= other for position, other in enumerate(row) if position not in right) <= k

    by_text = [
        found(row, [image for image in range(len(images)) if (word, image) in has])
        for row, word in zip(scores, words, strict=True)
    ]
    by_image = [
        found(scores[:, image], [text for text, word in enumerate(words) if (word, image) in has])
        for image in sorted(set(owners.tolist()))
    ]
    return {f"text_to_image/recall@{k}": np.mean(by_text), f"image_to_text/recall@{k}": np.mean(by_image)}


@pytest.mark.parametrize("kinds", [3, 10, 60])
def test_equal_texts_are_equally_right(kinds):
    images, texts, owners = pairs(3)
    words = np.random.default_rng(kinds).integers(kinds, size=len(owners))
    texts = texts[[int(np.argmax(words == word)) for word in words]]
    for k in (1, 4):
        figures = cross_modal(images, texts, owners, text_ids=words, ks=[k])
        expected = slow_with_equal_texts(images, texts, owners, words, k)
        assert {name: figures[name].value for name in expected} == pytest.approx(expected)


def test_words_that_all_pictures_share_are_always_right():
    figures = cross_modal(np.eye(6), np.ones((6, 6)), np.arange(6), text_ids=np.zeros(6, dtype=np.int64))
    chance = cross_modal_by_chance(np.arange(6), images=6, text_ids=np.zeros(6, dtype=np.int64))
    for way in ("text_to_image", "image_to_text"):
        assert figures[f"{way}/recall@1"].value == chance[f"{way}/recall@1"].value == 1.0


def test_chance_with_equal_texts_is_what_random_orders_give():
    owners, words = np.repeat(np.arange(8), 2), np.arange(16) % 5
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(800):
        texts = generator.normal(size=(5, 40))[words]
        drawn.append(cross_modal(generator.normal(size=(8, 40)), texts, owners, text_ids=words, ks=[1]))
    chance = cross_modal_by_chance(owners, images=8, text_ids=words, ks=[1])
    name = "text_to_image/recall@1"
    assert np.mean([one[name].value for one in drawn]) == pytest.approx(chance[name].value, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_order_and_rotation_change_nothing(seed):
    images, texts, owners = pairs(seed)
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    shuffled, position = generator.permutation(25), generator.permutation(75)
    before = cross_modal(images, texts, owners)
    after = cross_modal(
        (images @ rotation)[shuffled], (texts @ rotation)[position], np.argsort(shuffled)[owners][position]
    )
    assert {name: f.value for name, f in after.items()} == pytest.approx({name: f.value for name, f in before.items()})


def test_captions_of_a_picture_are_drawn_together():
    images, texts, owners = pairs(2, images=60, captions=1)
    once = cross_modal(images, texts, owners)["text_to_image/recall@1"]
    often = cross_modal(images, np.repeat(texts, 9, axis=0), np.repeat(owners, 9))["text_to_image/recall@1"]
    assert (often.n, often.value) == (9 * once.n, once.value)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.1)


def test_chance_is_the_mean_over_random_orders():
    generator = np.random.default_rng(0)
    owners = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3, 3])
    exact = cross_modal_by_chance(owners, images=6, ks=(1, 3))
    runs = [
        cross_modal(generator.normal(size=(6, 9)), generator.normal(size=(10, 9)), owners, ks=(1, 3))
        for _ in range(100)
    ]
    for metric, figure in exact.items():
        values = [run[metric].value for run in runs]
        if "recall" in metric:
            assert abs(np.mean(values) - figure.value) < 4 * np.std(values) / np.sqrt(len(values))
        else:
            assert abs(np.mean(values) - figure.value) <= 1


def test_progress_counts_both_ways():
    seen = []
    cross_modal(*pairs(0), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(75, 100), (100, 100)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": np.zeros((0, 2)), "image_of_text": np.zeros(0, dtype=np.int64)}, "no texts"),
        ({"image_of_text": np.array([0, 2])}, "rows 0 to 2, there are 2 pictures"),
        ({"texts": np.eye(3)[:2]}, "the dimension is 3, expected 2"),
        ({"images": np.array([[np.nan, 0], [0, 1]])}, "images: 1 of 2 rows hold NaN"),
        ({"ks": ()}, "expected whole numbers"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"images": np.eye(2), "texts": np.eye(2), "image_of_text": np.array([0, 1])} | change
    with pytest.raises(InvalidInput, match=message):
        cross_modal(**arguments)
