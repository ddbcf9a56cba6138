"""The threshold of a promised rate of named strangers."""

import numpy as np
import pytest

from nearkin.errors import InvalidInput
from nearkin.recognition.examples import Examples
from nearkin.recognition.open_set import (
    StrangerScores,
    _rounded_up,
    guessed_threshold,
    leave_classes_out,
    lowest_fpir,
    open_set_threshold,
    score_strangers,
    with_class,
)
from nearkin.recognition.scorer import SCORERS
from nearkin.recognition.space import measure_space
from tests.recognition.drawn import drawn


def trials(scores: list[float], *, against: int | list[int] = 5, strangers: list[int] | None = None) -> StrangerScores:
    n = len(scores)
    return StrangerScores(
        np.array(scores, dtype=float),
        np.full(n, 99),
        -1 - np.arange(n) if strangers is None else np.array(strangers),
        np.broadcast_to(against, n).copy(),
        np.zeros((n, 2)),
        ("a test",),
    )


def test_the_threshold_is_the_score_that_the_share_reaches() -> None:
    found = open_set_threshold(trials(list(range(100))), 0.1, 5)
    assert found.score == 90  # 90 to 99 are ten of a hundred
    assert found.low < 90 < found.high
    assert found.fpir_low < 0.1 < found.fpir_high
    assert (found.trials, found.strangers, found.classes) == (100, 100, 5)


def test_equal_scores_are_accepted_together() -> None:
    assert open_set_threshold(trials([1.0] * 5 + [0.0] * 15), 0.25, 5).score == 1
    assert open_set_threshold(trials([1.0] * 6 + [0.0] * 14), 0.25, 5).score > 1


def test_scores_against_fewer_classes_stand_for_a_higher_rate() -> None:
    # Against half the classes 1 of 10 is named; against all it is 1 - 0.9^2 = 19 of 100.
    half = trials(list(range(10)), against=5)
    assert open_set_threshold(half, 0.191, 10).score == 9
    assert open_set_threshold(half, 0.189, 10).score == pytest.approx(9)
    assert open_set_threshold(half, 0.189, 10).score > 9


def test_pictures_of_one_stranger_tell_less_than_those_of_many() -> None:
    scores = list(range(1000))
    many = open_set_threshold(trials(scores), 0.1, 5)
    few = open_set_threshold(trials(scores, strangers=[-1 - score // 50 for score in scores]), 0.1, 5)
    assert few.score == many.score
    assert few.fpir_high - few.fpir_low > 2 * (many.fpir_high - many.fpir_low)
    assert few.strangers == 20


@pytest.mark.parametrize(
    ("scores", "fpir", "message"),
    [
        (
            [1.0] * 50,
            0.01,
            "needs 100 independent pictures of strangers or more; there are 50, which count as 50: ask for 0\\.02 or",
        ),
        ([], 0.1, "needs 10 independent pictures of strangers or more; there are 0, which count as 0: add classes"),
        ([1.0], 0.0, "expected a rate"),
        ([1.0], 1.0, "expected a rate"),
        ([1.0], float("nan"), "expected a rate"),
    ],
)
def test_rates_that_the_data_cannot_carry_are_refused(scores: list[float], fpir: float, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        open_set_threshold(trials(scores), fpir, 5)


def test_the_lowest_rate_is_the_one_that_is_taken() -> None:
    for count in (3, 7, 50, 333):
        some = trials(list(range(count)))
        assert open_set_threshold(some, _rounded_up(lowest_fpir(some)), 5).measured


def test_a_guess_says_so_and_is_no_lower_than_a_stranger_reached() -> None:
    guess = guessed_threshold(trials([3.0, 20.0]), 0.01, 10)
    assert guess.score == 20
    assert not guess.measured
    assert (guess.fpir_low, guess.fpir_high) == (0, 1)


@pytest.mark.parametrize("count", [5, 150])
def test_a_class_left_out_is_scored_as_if_it_were_not_there(count: int) -> None:
    vectors, labels, _ = drawn(count, 2)
    examples = Examples.of(vectors, labels)
    space = measure_space(examples)
    scorer = SCORERS["prototype"]
    found = leave_classes_out(scorer, examples, space, scorer.fit(examples, space))
    assert len(found) == len(vectors)
    assert (found.against == count - 1).all()
    assert (found.best != found.strangers).all()
    for row in (0, 7):
        without = examples.select(labels != labels[row])
        there = space.without(vectors[labels == labels[row]]) if count == 5 else space
        scores = scorer.fit(without, there).scores(vectors[[row]])[0]
        assert found.scores[row] == pytest.approx(scores.max(), abs=1e-4)
        assert found.best[row] == scores.argmax()


def test_many_examples_are_thinned_evenly() -> None:
    labels = np.repeat(np.arange(150), [100] * 50 + [1] * 100)
    vectors = np.random.default_rng(0).normal(size=(len(labels), 8))
    examples = Examples.of(vectors, labels)
    space, scorer = measure_space(examples), SCORERS["prototype"]
    found = leave_classes_out(scorer, examples, space, scorer.fit(examples, space), most=300)
    sizes = np.bincount(found.strangers)
    assert (sizes[50:] == 1).all()
    assert set(sizes[:50]) == {4}


def test_one_class_leaves_nothing_to_try() -> None:
    examples = Examples.of(np.eye(3)[:2], [0, 0])
    space, scorer = measure_space(examples), SCORERS["prototype"]
    assert not len(leave_classes_out(scorer, examples, space, scorer.fit(examples, space)))


def test_strangers_have_numbers_of_their_own() -> None:
    vectors, labels, _ = drawn(4, 1)
    examples = Examples.of(vectors, labels)
    space, scorer = measure_space(examples), SCORERS["prototype"]
    fitted = scorer.fit(examples, space)
    left_out = leave_classes_out(scorer, examples, space, fitted)
    known = score_strangers(fitted, drawn(3, 2, seed=1)[0], np.array([0, 0, 1, 1, 2, 2]), 4, "a file")
    both = left_out.joined(known)
    assert len(np.unique(both.strangers)) == 4 + 3
    assert both.sources == ("classes left out in turn", "a file")


def test_a_new_class_raises_the_scores_of_strangers_but_not_its_own() -> None:
    some = trials([1.0, 2.0, 3.0], strangers=[0, 1, -1])
    grown = with_class(some, np.array([5.0, 5.0, 0.0]), 1, new=True)
    assert grown.scores.tolist() == [5, 2, 3]
    assert grown.best.tolist() == [1, 99, 99]
    assert grown.against.tolist() == [6, 5, 6]


def test_strangers_of_whom_as_many_are_named_each_are_independent() -> None:
    scores, ids = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0, 0, 1, 1])
    both = StrangerScores(scores, np.full(4, 5), ids, np.full(4, 5), np.zeros((4, 1)), ("a test",))
    assert lowest_fpir(both) == 0.5
