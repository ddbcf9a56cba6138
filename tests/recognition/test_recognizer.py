"""Names from a few examples, or unknown: all parts together."""

import json
from pathlib import Path

import numpy as np
import pytest

from nearkin.errors import InvalidInput, UnknownName
from nearkin.recognition.as_arrays import from_arrays, to_arrays
from nearkin.recognition.examples import Examples, Kind
from nearkin.recognition.recognizer import Made, Recognizer, Strangers
from nearkin.recognition.scorer import SCORERS
from nearkin.serialise import json_text
from tests.recognition.drawn import drawn


def recognizer(classes: int = 120, each: int = 3, **given: object) -> tuple[Recognizer, np.ndarray]:
    vectors, labels, centres = drawn(classes, each)
    return Recognizer.of([f"class {one}" for one in range(classes)], Examples.of(vectors, labels), **given), centres


@pytest.mark.parametrize("scorer", SCORERS.names)
def test_pictures_of_known_classes_are_named_and_strangers_are_not(scorer: str) -> None:
    found, centres = recognizer(scorer=scorer)
    known, labels, _ = drawn(120, 1, seed=5, centres=centres, noise=0.3)
    named = found.recognize(known, fpir=0.05)
    assert np.mean([one.name == f"class {label}" for one, label in zip(named, labels, strict=True)]) > 0.9
    strangers = found.recognize(drawn(200, 1, seed=7)[0], fpir=0.05)
    assert np.mean([one.score >= one.threshold.score for one in strangers]) < 0.12


def test_candidates_come_with_probability_and_evidence() -> None:
    found, centres = recognizer()
    one = found.recognize(drawn(120, 1, seed=5, centres=centres)[0][:1], k=4, evidence=2)[0]
    assert [candidate.score for candidate in one.candidates] == sorted((c.score for c in one.candidates), reverse=True)
    assert len(one.candidates) == 4
    assert 0 < sum(candidate.probability for candidate in one.candidates) <= 1
    best = one.candidates[0]
    assert [found.examples.classes[each.row] for each in best.evidence] == [best.class_id] * 2
    assert best.evidence[0].score >= best.evidence[1].score
    assert json.loads(json_text(one))["candidates"][0]["evidence"][0]["row"] == best.evidence[0].row


def test_a_rejected_picture_never_gets_the_name_again_and_others_of_the_class_do() -> None:
    found, centres = recognizer()
    wrong = drawn(120, 1, seed=5, centres=centres, noise=0.5)[0]
    assert found.recognize(wrong[:1], fpir=0.1)[0].name == "class 0"
    taught = found.with_examples(Examples.of(wrong[:1], [0], positive=[False], count=120))
    again = taught.recognize(wrong[:1], fpir=0.1, k=120)[0]
    assert again.name != "class 0"
    assert "class 0" not in [candidate.name for candidate in again.candidates]
    assert taught.recognize(wrong[1:2], fpir=0.1)[0].name == "class 1"
    opposite = found.examples.vectors[:1]
    before, after = found.scores(opposite)[0, 0], taught.scores(opposite)[0, 0]
    assert after <= before


def test_the_border_learns_from_a_rejected_picture() -> None:
    found, centres = recognizer()
    wrong = drawn(120, 1, seed=5, centres=centres)[0][:1]
    near = wrong + 0.08 * np.random.default_rng(0).normal(size=wrong.shape)
    near = (near / np.linalg.norm(near)).astype(np.float32)
    taught = found.with_examples(Examples.of(wrong, [0], positive=[False], count=120))
    fall = found.scores(near)[0] - taught.scores(near)[0]
    assert fall[0] > 3
    assert (fall[1:] == 0).all()


def test_an_ignored_picture_gets_no_name() -> None:
    found, centres = recognizer()
    stranger = drawn(120, 1, seed=5, centres=centres, noise=0.5)[0][:1]
    assert found.recognize(stranger, fpir=0.1)[0].decision == "name"
    ignoring = found.with_examples(Examples.of(stranger, [-1], count=120))
    again = ignoring.recognize(stranger, fpir=0.1)[0]
    assert (again.decision, again.name, again.candidates) == ("unknown", None, ())
    assert again.reason == "a near copy of an ignored picture"
    assert "ignored pictures" in again.threshold.source


def test_strangers_carry_lower_rates() -> None:
    vectors, _, _ = drawn(1000, 1, seed=3)
    few, _ = recognizer(10, 1)
    with pytest.raises(InvalidInput, match=r"fpir 0\.01 needs 100 independent pictures"):
        few.threshold(0.01)
    assert not few.threshold().measured
    more, _ = recognizer(10, 1, strangers=[Strangers(vectors, None, "pictures of strangers/")])
    assert more.threshold().fpir == 0.01
    assert more.threshold().source == "classes left out in turn; pictures of strangers/"


def test_two_classes_get_a_guess_that_says_so() -> None:
    found, centres = recognizer(2, 2)
    threshold = found.threshold()
    assert not threshold.measured
    assert found.recognize(centres.astype(np.float32))[0].candidates[0].name == "class 0"


@pytest.mark.parametrize(("classes", "each"), [(2, 1), (2, 3), (3, 2)])
def test_a_guess_from_pictures_without_names_is_near_the_rate(classes: int, each: int) -> None:
    unnamed, _, _ = drawn(250, 1, seed=5)
    strangers, _, _ = drawn(4000, 1, seed=7)
    rates, known = [], []
    for seed in range(8):
        vectors, labels, centres = drawn(classes, each, seed=seed + 100)
        # A tenth of the pictures without names are of the classes.
        own, own_labels, _ = drawn(classes, 24 // classes, seed=seed + 200, centres=centres)
        found = Recognizer.of(
            [str(one) for one in range(classes)],
            Examples.of(vectors, labels),
            background=np.concatenate([unnamed, own]),
        )
        threshold = found.threshold()
        assert (threshold.measured, threshold.fpir) == (False, 0.01)
        assert threshold.low < threshold.score < threshold.high
        rates.append(np.mean(found.scores(strangers).max(axis=1) >= threshold.score))
        scores = found.scores(own)
        known.append(np.mean((scores.argmax(axis=1) == own_labels) & (scores.max(axis=1) >= threshold.score)))
    assert 0.01 / 4 < np.mean(rates) < 0.01 * 4
    # By the scores as log likelihood ratios alone, none would be named.
    assert np.mean(known) > 0.4


@pytest.mark.parametrize("count", [0, 1, 3])
def test_registries_with_hardly_anything_answer(count: int) -> None:
    examples = Examples.of(np.empty((0, 4)) if not count else np.eye(4)[:1], [0] * min(count, 1), count=count)
    found = Recognizer.of([str(one) for one in range(count)], examples).recognize(np.eye(4)[1:2])[0]
    assert found.decision in ("unknown", "not sure")
    assert len(found.candidates) == min(count, 1)


def test_negatives_alone_give_no_name() -> None:
    examples = Examples.of(np.eye(4)[:2], [0, 0], positive=[False, False])
    found = Recognizer.of(["a"], examples).recognize(np.eye(4)[:3])
    assert [one.decision for one in found] == ["unknown"] * 3
    assert [one.score for one in found] == [-np.inf] * 3


def test_adding_examples_one_by_one_gives_the_scores_of_all_at_once() -> None:
    vectors, labels, _ = drawn(700, 4)
    start = 2500
    names = [str(one) for one in range(700)]
    found = Recognizer.of(names, Examples.of(vectors[:start], labels[:start], count=700), scorer="prototype")
    assert found.measured
    for row in range(start, start + 20):
        found = found.with_examples(Examples.of(vectors[[row]], labels[[row]], count=700))
    at_once = SCORERS["prototype"].fit(Examples.of(vectors[: start + 20], labels[: start + 20], count=700), found.space)
    queries = drawn(700, 1, seed=9)[0]
    np.testing.assert_allclose(found.fitted.scores(queries), at_once.scores(queries), atol=1e-3)
    assert found.threshold(0.01).classes == 630
    assert found.threshold(0.01).trials == start
    assert found.measured.trials.against.max() == 629


@pytest.mark.parametrize("scorer", SCORERS.names)
def test_what_was_made_can_be_kept(tmp_path: Path, scorer: str) -> None:
    vectors, labels, _ = drawn(20, 5, seed=3)
    kinds = np.where(np.arange(len(labels)) % 5 == 4, Kind.TEXT, Kind.PICTURE)
    examples = Examples.of(vectors, labels, kinds=kinds)
    found = Recognizer.of([str(one) for one in range(20)], examples, scorer=scorer)
    queries = drawn(20, 2, seed=4)[0]
    first = found.recognize(queries)
    np.savez(tmp_path / "made.npz", **to_arrays(found.made))
    with np.load(tmp_path / "made.npz", allow_pickle=False) as arrays:
        kept = from_arrays(Made, arrays, fitted=SCORERS[scorer].kind)
    again = Recognizer.of(found.names, examples, scorer=scorer, made=kept)
    assert again.recognize(queries) == first
    assert again.measured is kept.measured
    more = examples.joined(Examples.of(queries[:1], [3], count=20))
    grown, expected = (each.fitted.with_examples(more, len(examples)).scores(queries) for each in (again, found))
    np.testing.assert_array_equal(grown, expected)


def test_wrong_names_are_told() -> None:
    examples = Examples.of(np.eye(2), [0, 1])
    with pytest.raises(InvalidInput, match="1 names given for 2 classes"):
        Recognizer.of(["a"], examples)
    with pytest.raises(UnknownName, match="prototipe"):
        Recognizer.of(["a", "b"], examples, scorer="prototipe")
    with pytest.raises(InvalidInput, match="the dimension is 3, expected 2"):
        Recognizer.of(["a", "b"], examples).recognize([[1.0, 0.0, 0.0]])
