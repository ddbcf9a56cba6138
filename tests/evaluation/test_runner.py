import numpy as np
import pytest

from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.cross_modal import cross_modal
from nearkin.evaluation.metrics.retrieval import retrieval, retrieval_by_chance
from nearkin.evaluation.protocol import Embeddings, GroundTruth
from nearkin.evaluation.runner import quick_settings, run_protocols
from nearkin.evaluation.settings import EvaluationSettings
from nearkin.intervals.figure import Figure


def evaluated(title, images, *, texts=None, raw=None, notes=(), seed=0, chance=True, **truth):
    baselines = {} if raw is None else {"raw pixels": Embeddings(raw)}
    models, settings = {title: Embeddings(images, texts)}, quick_settings(seed=seed, chance=chance)
    return run_protocols(models, GroundTruth(**truth), settings, baselines=baselines, notes=notes).reports[0]


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(15), 4)
    images = generator.normal(size=(15, 6))[labels] + 0.5 * generator.normal(size=(60, 6))
    owners = np.arange(60).repeat(2)
    return images, labels, images[owners] + generator.normal(size=(120, 6)), owners


def test_each_protocol_that_the_data_allow(data):
    images, labels, texts, owners = data
    raw = np.random.default_rng(1).normal(size=(60, 9))
    report = evaluated("x on y", images, label_ids=labels, texts=texts, image_of_text=owners, raw=raw, seed=3)
    assert report.figures == {
        "retrieval": retrieval(images, labels, seed=3),
        "cross_modal": cross_modal(images, texts, owners, seed=3),
    }
    assert report.baselines["raw pixels"] == {"retrieval": retrieval(raw, labels, seed=3)}
    assert report.baselines["chance"]["retrieval"] == retrieval_by_chance(labels)
    assert report.counts == {
        "pictures": 60,
        "classes": 15,
        "queries": 60,
        "queries_without_match": 0,
        "gallery": 60,
        "texts": 120,
    }
    assert report.notes == ()


def test_labels_only_and_texts_only(data):
    images, labels, texts, owners = data
    assert set(evaluated("x", images, label_ids=labels, chance=False).figures) == {"retrieval"}
    assert evaluated("x", images, label_ids=labels, chance=False).baselines == {}
    report = evaluated("x", images, texts=texts, image_of_text=owners, label_ids=np.full(60, -1))
    assert set(report.figures) == {"cross_modal"}
    assert set(report.baselines) == {"chance"}


def test_pictures_without_a_label_take_no_part(data):
    images, labels, *_ = data
    some = np.where(np.arange(60) % 4 == 0, -1, labels)
    flags = np.arange(60) % 3 > 0
    report = evaluated("x", images, label_ids=some, is_query=flags, is_gallery=~flags)
    kept = some >= 0
    expected = retrieval(images[kept], labels[kept], is_query=flags[kept], is_gallery=~flags[kept])
    assert report.figures["retrieval"] == expected
    assert "Pictures without a label, which take no part in retrieval: 15." in report.notes


def test_notes_on_lone_pictures_and_few_classes(data):
    images, *_ = data
    report = evaluated("x", images[:5], label_ids=np.array([0, 0, 1, 1, 2]), notes=["first"])
    assert report.notes == (
        "first",
        "Queries with no other picture of their class to find, left out: 1.",
        "Queries come from few classes (2): the intervals say little about other classes.",
    )
    assert (report.counts["queries"], report.counts["queries_without_match"]) == (4, 1)


def test_one_class_measures_nothing(data):
    report = evaluated("x", data[0], label_ids=np.zeros(60, dtype=np.int64))
    assert report.notes == (
        "All answers are of one class, so that every order is right: retrieval measures nothing here.",
    )
    assert report.figures["retrieval"]["map@r"] == Figure(1.0, None, None, 60)


def test_no_two_pictures_of_a_class(data):
    images, _, texts, owners = data
    with pytest.raises(InvalidInput, match="no two pictures of one class"):
        evaluated("x", images, label_ids=np.arange(60))
    report = evaluated("x", images, label_ids=np.arange(60), texts=texts, image_of_text=owners)
    assert set(report.figures) == {"cross_modal"}
    assert report.counts["queries_without_match"] == 60


def test_raw_pixels_are_means_of_cells_without_the_overall_mean():
    pixels = np.random.default_rng(0).integers(0, 256, size=(3, 32, 48, 3), dtype=np.uint8)
    vectors = raw_pixels(pixels)
    assert vectors.shape == (3, 16 * 16 * 3)
    cell = pixels[1, 2:4, 9:12, 0].mean()
    np.testing.assert_allclose(vectors.reshape(3, 16, 16, 3)[1, 1, 3, 0], cell - pixels[1].mean(), rtol=1e-3)


@pytest.mark.parametrize("size", [1, 7, 16, 17, 31, 33, 105])
def test_raw_pixels_of_any_size(size):
    vectors = raw_pixels(np.full((2, size, size, 1), 7, dtype=np.uint8))
    assert 1 <= vectors.shape[1] <= 256
    assert not vectors.any()


def test_what_was_asked_for_and_cannot_be_done(data):
    images, labels, *_ = data

    def ask(*protocols):
        return run_protocols(
            {"x": Embeddings(images)}, GroundTruth(labels), EvaluationSettings(protocols, chance=False)
        )

    report = ask("retrieval", "few_shot").reports[0]
    assert list(report.figures) == ["retrieval"]
    (note,) = [note for note in report.notes if note.startswith("Protocols left out")]
    assert "few-shot (5-way 1-shot left out: classes with 16 pictures or more: 0" in note
    with pytest.raises(InvalidInput, match=r"^5-way 1-shot left out: classes with 16 pictures or more: 0"):
        ask("few_shot")
    with pytest.raises(
        InvalidInput, match=r"x: nothing that was asked for .*: few-shot \(5-way.*; cross-modal \(there are"
    ):
        ask("few_shot", "cross_modal")


def test_retrieval_without_a_right_answer_was_asked_for():
    models, truth = {"x": Embeddings(np.eye(3))}, GroundTruth(np.arange(3))
    with pytest.raises(InvalidInput, match=r"retrieval \(no query has a right answer\)"):
        run_protocols(models, truth, EvaluationSettings(["retrieval"]))
