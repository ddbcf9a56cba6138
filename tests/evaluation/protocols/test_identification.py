"""Identification: known classes are named, strangers are not."""

import numpy as np
import pytest

from nearkin.errors import InvalidInput, UnknownName
from nearkin.evaluation.protocol import Embeddings, GroundTruth
from nearkin.evaluation.protocols.identification import (
    PROTOCOL,
    Answers,
    IdentificationOptions,
    _best_without,
    answer,
    draw_split,
)
from tests.recognition.drawn import drawn


def test_a_split_has_every_picture_once_and_strangers_are_of_no_known_class():
    labels = np.repeat(np.arange(12), np.arange(1, 13))
    split = draw_split(labels, 3, 0.5, seed=1)
    assert len(split.known) == 4  # nine classes have four pictures or more
    assert (np.bincount(split.enrolled_classes) == 3).all()
    assert (split.known[split.enrolled_classes] == labels[split.enrolled]).all()
    assert (split.known[split.asked_classes] == labels[split.asked]).all()
    assert not np.isin(labels[split.strangers], split.known).any()
    every = np.concatenate([split.enrolled, split.asked, split.strangers])
    assert sorted(every) == list(range(len(labels)))


def test_figures_by_hand():
    answers = Answers(
        own=np.array([5.0, 4.0, 1.0, 3.0], np.float32),
        others=np.array([[2.0], [6.0], [0.0], [1.0]], np.float32),
        strangers=np.array([[0.5], [2.5], [-1.0], [0.0]], np.float32),
        asked_parts=np.zeros(4, int),
        stranger_parts=np.zeros(4, int),
        promised=(2.0, None),
    )
    # Right are the first, third and fourth. At one stranger of four the threshold lies above 0.5; at two above 0.
    accuracy, tpir, reached, lower, none = answers.figures(None, (0.25, 0.5))
    assert (accuracy, tpir, reached, lower) == (0.75, 0.75, 0.25, 0.75)
    assert np.isnan(none)
    # At none of four there is no figure.
    assert np.isnan(answers.figures(None, (0.2, 0.5))[1])


def test_leaving_out_a_part_is_leaving_out_its_columns():
    generator = np.random.default_rng(0)
    scores, parts = generator.normal(size=(6, 9)).astype(np.float32), generator.integers(40, size=9)
    found = _best_without(scores, parts)
    np.testing.assert_array_equal(found[:, 0], scores.max(axis=1))
    for part in range(40):
        np.testing.assert_array_equal(found[:, part + 1], scores[:, parts != part].max(axis=1))


def test_classes_apart_are_all_named_and_noise_is_as_chance():
    vectors, labels, _ = drawn(60, 6, noise=0.1)
    noise = np.random.default_rng(0).normal(size=vectors.shape).astype(np.float32)
    outcome = PROTOCOL.run([Embeddings(vectors), Embeddings(noise)], GroundTruth(labels), IdentificationOptions(), 0)
    apart, random = ({name: one.figure().value for name, one in found.items()} for found in outcome.estimates)
    chance = outcome.chance()
    for enrolled in (1, 2, 5):
        assert apart[f"{enrolled} enrolled/accuracy"] == 1
        assert apart[f"{enrolled} enrolled/tpir@fpir=0.1"] == 1
        assert random[f"{enrolled} enrolled/accuracy"] == pytest.approx(1 / 30, abs=0.04)
        assert chance[f"{enrolled} enrolled/accuracy"].value == 1 / 30
        assert chance[f"{enrolled} enrolled/tpir@fpir=0.1"].value == pytest.approx(0.1 / 30)
    assert outcome.counts == {"known_classes": 30}
    assert "1 enrolled: 30 known classes, 150 pictures of them and 180 of strangers" in outcome.notes[0]


def test_what_was_promised_is_reached():
    vectors, labels, _ = drawn(400, 3)
    outcome = PROTOCOL.run([Embeddings(vectors)], GroundTruth(labels), IdentificationOptions(enrolled=(2,)), 0)
    figure = outcome.estimates[0]["2 enrolled/reached at fpir=0.1"].figure()
    assert figure.low < 0.1 < figure.high


def test_the_interval_holds_what_other_classes_give():
    options = IdentificationOptions(enrolled=(1,), fpir=(0.1,), repetitions=2)
    figures = []
    for seed in range(12):
        vectors, labels, _ = drawn(60, 3, seed=seed)
        found = PROTOCOL.run([Embeddings(vectors)], GroundTruth(labels), options, seed).estimates[0]
        figures.append(found["1 enrolled/tpir@fpir=0.1"].figure())
    truth = np.mean([one.value for one in figures])
    assert sum(one.low <= truth <= one.high for one in figures) >= 10


def test_the_same_seed_gives_the_same_figures():
    vectors, labels, _ = drawn(40, 3)
    one, two, other = (
        PROTOCOL.run([Embeddings(vectors)], GroundTruth(labels), IdentificationOptions(enrolled=(1,)), seed)
        for seed in (3, 3, 4)
    )
    name = "1 enrolled/accuracy"
    assert one.estimates[0][name].figure() == two.estimates[0][name].figure()
    assert one.estimates[0][name].figure() != other.estimates[0][name].figure()


def test_it_goes_through_recognition_itself():
    vectors, labels, _ = drawn(40, 3)
    split = draw_split(labels, 1, 0.5, seed=0)
    of = {
        name: answer(vectors, labels, split, IdentificationOptions(scorer=name)).own for name in ("linear", "nearest")
    }
    assert not np.allclose(of["linear"], of["nearest"])


def test_why_it_is_left_out():
    options = IdentificationOptions()
    assert PROTOCOL.why_not_unasked(GroundTruth(), options) == "there are no labels"
    few = GroundTruth(np.arange(30).repeat(2)[:40])
    assert PROTOCOL.why_not_unasked(few, options) is None
    assert "fewer than 20" in str(PROTOCOL.why_not_unasked(GroundTruth(np.arange(10).repeat(2)), options))
    with pytest.raises(InvalidInput, match="5 enrolled left out: classes with 6 pictures or more: 0, two are needed"):
        PROTOCOL.run([Embeddings(np.eye(4))], GroundTruth(np.array([0, 0, 1, 1])), IdentificationOptions((5,)), 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"enrolled": ()}, "enrolled is"),
        ({"enrolled": (0,)}, "expected whole numbers from 1 on"),
        ({"fpir": (2.0,)}, "expected a rate"),
        ({"known": 1.0}, "known is 1"),
        ({"repetitions": 0}, "repetitions is 0"),
    ],
)
def test_options_out_of_range_are_refused(given, message):
    with pytest.raises(InvalidInput, match=message):
        IdentificationOptions(**given)
    with pytest.raises(UnknownName, match="linear"):
        IdentificationOptions(scorer="linaer")
