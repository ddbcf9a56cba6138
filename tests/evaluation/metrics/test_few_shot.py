import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from nearkin.arrays import unit
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.few_shot import few_shot


def clusters(seed, classes=8, each=6, dim=5, spread=0.9):
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    return generator.normal(size=(classes, dim))[labels] + spread * generator.normal(size=(len(labels), dim)), labels


@pytest.mark.parametrize(("ways", "shots"), [(2, 2), (5, 3), (8, 2)])
def test_one_episode_equals_scikit_learn(ways, shots):
    embeddings, labels = clusters(ways)
    vectors = unit(embeddings).astype(np.float32)
    for seed in range(5):
        figures = few_shot(embeddings, labels, ways=ways, shots=shots, queries=3, episodes=1, seed=seed)
        rows = drawn(labels, ways, shots + 3, seed)
        shown, asked = rows[:, :shots].ravel(), rows[:, shots:].ravel()
        for name, model in (("prototype", NearestCentroid()), ("neighbour", KNeighborsClassifier(1))):
            model.fit(vectors[shown], labels[shown])
            assert figures[name].value == pytest.approx(model.score(vectors[asked], labels[asked]))


def drawn(labels, ways, pictures, seed):
    """The rows of the first episode."""
    generator = np.random.default_rng(seed)
    generator.choice(1, p=[1.0])
    chosen = generator.choice(labels.max() + 1, size=ways, replace=False)
    rows = [generator.choice(np.flatnonzero(labels == name), size=pictures, replace=False) for name in chosen]
    return np.stack(rows)


def test_one_shot_prototypes_are_the_shown_pictures():
    figures = few_shot(*clusters(1), ways=4, queries=3, episodes=20)
    assert figures["prototype"] == figures["neighbour"]


def test_all_equal_is_all_wrong():
    figures = few_shot(np.ones((48, 9)), clusters(0)[1], ways=3, queries=4, episodes=20)
    assert figures["prototype"].value == figures["neighbour"].value == 0.0


def test_random_vectors_reach_chance():
    vectors = np.random.default_rng(0).normal(size=(400, 16))
    figures = few_shot(vectors, np.arange(20).repeat(20), ways=4, shots=2, queries=10)
    for figure in figures.values():
        assert figure.value == pytest.approx(0.25, abs=0.02)
        assert figure.low < figure.value < figure.high
        assert figure.n == 600


def test_episodes_stay_within_a_group():
    """Groups far apart and classes of one group in one place: across groups it is easy, within one hopeless."""
    labels = np.arange(12).repeat(6)
    groups = labels // 4
    vectors = np.eye(3)[groups]
    assert few_shot(vectors, labels, ways=4, queries=2, episodes=30, within=groups)["prototype"].value == 0.0
    assert few_shot(vectors, labels, ways=2, queries=2, episodes=200)["prototype"].value == pytest.approx(
        8 / 11, abs=0.1
    )


def test_classes_with_too_few_pictures_take_no_part():
    embeddings, labels = clusters(0)
    more, names = np.concatenate([embeddings, np.zeros((3, 5))]), np.concatenate([labels, [90, 90, 90]])
    settings_ = {"ways": 8, "queries": 5, "episodes": 4}
    assert few_shot(more, names, **settings_) == few_shot(embeddings, labels, **settings_)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_scale_rotation_and_relabelling_change_nothing(seed):
    embeddings, labels = clusters(seed)
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    scale = generator.uniform(0.1, 9, size=(len(labels), 1))
    before = few_shot(embeddings, labels, queries=3, episodes=10)
    after = few_shot(embeddings * scale @ rotation, labels + 2**40, queries=3, episodes=10)
    assert {name: f.value for name, f in after.items()} == pytest.approx({name: f.value for name, f in before.items()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ways": 9}, "classes with 4 pictures or more: 8, the largest has 6; 9 are needed"),
        ({"queries": 6}, "classes with 7 pictures or more: 0"),
        ({"ways": 5, "within": np.arange(8).repeat(6) // 4}, "classes in any one group with"),
        ({"within": np.arange(48)}, "class 0 lies in several groups"),
        ({"within": np.arange(3)}, r"within has shape \(3,\), expected 48 groups"),
        ({"ways": 1}, "expected a whole number of at least 2"),
        ({"embeddings": np.full((48, 2), np.inf)}, "48 of 48 rows hold NaN or infinity"),
    ],
)
def test_bad_input_is_named(change, message):
    embeddings, labels = clusters(0)
    arguments = {"embeddings": embeddings, "labels": labels, "ways": 3, "queries": 3} | change
    with pytest.raises(InvalidInput, match=message):
        few_shot(**arguments)
