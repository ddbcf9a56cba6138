"""What every way to score a class keeps to, and values from slow loops."""

import numpy as np
import pytest

from nearkin.recognition.examples import Examples, Kind
from nearkin.recognition.scorer import NEVER, SCORERS
from nearkin.recognition.scorers.linear import _inverse_power
from nearkin.recognition.scorers.prototypes import _looks_of
from nearkin.recognition.space import Space, measure_space
from tests.recognition.drawn import drawn


def log_ratio(picture: np.ndarray, examples: np.ndarray, space: Space) -> float:
    """From the definition: the density of a picture given the examples of its class, over that without them.

    Both are normal with the same variance in all of `dim` directions, so they hang on squared distances only. (Pictures
    are of unit length; the density of one of no class has its variance 1 spread over all directions.)
    """
    n, mean = len(examples), examples.mean(axis=0)
    between, within = space.same, 1 - space.same
    centre = n * between / (n * between + within) * mean
    variance = within + between * within / (n * between + within)
    of_class = -((picture - centre) ** 2).sum() / variance - np.log(variance)
    of_any = -(picture**2).sum()
    return space.dim / 2 * (of_class - of_any)


def test_a_prototype_scores_as_the_definition_says() -> None:
    vectors, labels, _ = drawn(6, 3)
    examples = Examples.of(vectors, labels)
    space = measure_space(examples)
    queries = drawn(5, 1, seed=3)[0]
    scores = SCORERS["prototype"].fit(examples, space).scores(queries)
    seen, asked = space.seen(vectors), space.seen(queries)
    for query in range(5):
        for one in range(6):
            expected = log_ratio(asked[query], seen[labels == one], space)
            assert scores[query, one] == pytest.approx(expected, abs=1e-3)


def test_neighbours_score_the_mean_over_examples() -> None:
    vectors, labels, _ = drawn(6, 3)
    examples = Examples.of(vectors, labels)
    space = measure_space(examples)
    query = drawn(1, 1, seed=3)[0]
    scores = SCORERS["nearest"].fit(examples, space).scores(query)[0]
    seen, asked = space.seen(vectors), space.seen(query)[0]
    for one in range(6):
        each = [np.exp(log_ratio(asked, seen[[row]], space)) for row in np.flatnonzero(labels == one)]
        assert scores[one] == pytest.approx(np.log(np.mean(each)), abs=1e-3)


def test_one_example_scores_the_same_by_all_but_linear() -> None:
    vectors, labels, _ = drawn(6, 1)
    examples = Examples.of(vectors, labels)
    space = measure_space(examples)
    queries = drawn(5, 1, seed=3)[0]
    prototype, nearest, prototypes = (
        SCORERS[name].fit(examples, space).scores(queries) for name in ("prototype", "nearest", "prototypes")
    )
    np.testing.assert_allclose(nearest, prototype, atol=1e-3)
    np.testing.assert_allclose(prototypes, prototype, atol=1e-3)


@pytest.mark.parametrize("name", SCORERS.names)
def test_scores_of_some_classes_are_those_of_all(name: str) -> None:
    vectors, labels, _ = drawn(20, 5)
    examples = Examples.of(vectors, labels, count=22)
    fitted = SCORERS[name].fit(examples, measure_space(examples))
    scores = fitted.scores(vectors[:7])
    some = np.array([3, 21, 0])
    np.testing.assert_allclose(fitted.scores(vectors[:7], some), scores[:, some], rtol=1e-4, atol=1e-3)
    assert (scores[:, 20:] == NEVER).all()
    assert fitted.count == 22


@pytest.mark.parametrize("name", SCORERS.names)
def test_an_example_is_scored_without_itself(name: str) -> None:
    vectors, labels, _ = drawn(30, 3)
    labels = np.where(labels == 29, np.arange(90), labels)  # three classes of one
    labels = np.unique(labels, return_inverse=True)[1]
    examples = Examples.of(vectors, labels)
    space = measure_space(examples)
    fitted = SCORERS[name].fit(examples, space)
    rows = np.array([0, 5, 89])
    found = fitted.own_scores(examples, rows)
    assert found[2] <= NEVER / 2
    for row, own in zip(rows[:2], found, strict=False):
        left = examples.select(np.arange(90) != row)
        expected = SCORERS[name].fit(left, space).scores(vectors[[row]])[0, labels[row]]
        # A linear discriminant keeps how all examples scatter.
        assert own == pytest.approx(expected, abs=1.5 if name == "linear" else 1e-3)


@pytest.mark.parametrize("name", SCORERS.names)
def test_further_examples_give_what_all_at_once_give(name: str) -> None:
    vectors, labels, _ = drawn(30, 6)
    order = np.random.default_rng(0).permutation(len(labels))
    vectors, labels = vectors[order], labels[order]
    examples = Examples.of(vectors, labels, count=32)
    space = measure_space(examples)
    at_once = SCORERS[name].fit(examples, space).scores(vectors)
    first = examples.select(np.arange(150))
    one_by_one = SCORERS[name].fit(first, space)
    for stop in range(151, 181):
        one_by_one = one_by_one.with_examples(examples.select(np.arange(stop)), stop - 1)
    found = one_by_one.scores(vectors)
    assert found.shape == at_once.shape
    if name == "linear":
        assert np.mean(found.argmax(axis=1) == at_once.argmax(axis=1)) > 0.95
    else:
        np.testing.assert_allclose(found, at_once, atol=2e-3)


@pytest.mark.parametrize("name", SCORERS.names)
def test_the_order_of_examples_and_the_names_of_classes_change_nothing(name: str) -> None:
    vectors, labels, _ = drawn(12, 9)
    order, renamed = np.random.default_rng(0).permutation(len(labels)), np.random.default_rng(1).permutation(12)
    one = Examples.of(vectors, labels)
    other = Examples.of(vectors[order], renamed[labels[order]])
    scores = [SCORERS[name].fit(each, measure_space(each)).scores(vectors) for each in (one, other)]
    np.testing.assert_allclose(scores[1][:, renamed], scores[0], atol=2e-2)


@pytest.mark.parametrize("name", SCORERS.names)
def test_texts_count_less_than_pictures(name: str) -> None:
    vectors, labels, _ = drawn(10, 2)
    kinds = np.tile([Kind.PICTURE, Kind.TEXT], 10)
    space = Space(np.zeros(32, np.float32), 0.5, 16.0, weights={int(Kind.TEXT): 0.25}, gaps={})
    only_texts = Examples.of(vectors[1::2], labels[1::2], kinds=kinds[1::2])
    only_pictures = Examples.of(vectors[1::2], labels[1::2])
    as_text, as_picture = (SCORERS[name].fit(each, space).scores(vectors[1::2]) for each in (only_texts, only_pictures))
    if name != "linear":
        assert (np.diag(as_text) < np.diag(as_picture)).all()


def test_scatter_is_evened_where_there_are_many_examples() -> None:
    generator = np.random.default_rng(0)
    apart = generator.normal(size=(5000, 4)) * [1.0, 2.0, 3.0, 4.0]
    scaled = apart @ _inverse_power(apart.T @ apart / 5000, 5000.0, 1.0)
    spread = (scaled**2).mean(axis=0)
    assert spread.max() / spread.min() < 1.6  # of 16 before; a twentieth of equal scatter is always left
    assert np.allclose(_inverse_power(np.zeros((4, 4)), 0.0, 1.0), np.eye(4))


def test_looks_are_found() -> None:
    one, two = np.eye(8)[0], np.eye(8)[1]
    noise = 0.05 * np.random.default_rng(0).normal(size=(12, 8))
    looks = _looks_of((np.repeat([one, two], 6, axis=0) + noise).astype(np.float32), 2)
    assert len(set(looks[:6])) == len(set(looks[6:])) == 1
    assert looks[0] != looks[6]


@pytest.mark.parametrize("name", SCORERS.names)
def test_equal_vectors_and_zero_vectors_are_scored(name: str) -> None:
    vectors = np.tile(np.eye(4)[:1], (6, 1))
    vectors[5] = 0
    examples = Examples.of(vectors, [0, 0, 0, 1, 1, 2])
    fitted = SCORERS[name].fit(examples, measure_space(examples))
    assert np.isfinite(fitted.scores(examples.vectors)).all()


@pytest.mark.parametrize("dim", [2, 257, 768])
@pytest.mark.parametrize(("classes", "each"), [(1, 1), (1, 3), (2, 1), (5, 4)])
@pytest.mark.parametrize("name", list(SCORERS))
def test_any_dimension_and_any_few_classes(name: str, classes: int, each: int, dim: int) -> None:
    vectors, labels, _ = drawn(classes, each, dim=dim)
    examples = Examples.of(vectors, labels)
    scores = SCORERS[name].fit(examples, measure_space(examples)).scores(vectors)
    assert scores.shape == (len(vectors), classes)
    assert np.isfinite(scores).all()
    assert (scores.argmax(axis=1) == labels).mean() > 0.7 or dim == 2
