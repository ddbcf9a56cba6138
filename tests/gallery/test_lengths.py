"""Vectors of any length and type, added and asked for: they rank as their direction says, and equal ones score 1."""

import json
from pathlib import Path

import numpy as np
import pytest

from nearkin.arrays import as_unit_vectors
from nearkin.cli import main
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.index import kind_names
from tests.fakes import FakeEncoder

DIM, COUNT = 24, 400
DIRECTIONS = np.random.default_rng(0).standard_normal((COUNT, DIM))
LENGTHS = np.array([1, 1e30, 1e-30, 1e38, 1e-38, 1e-300, 1e300, 3, 1e-8])


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """Items 400 to 799 are the same directions at other lengths, as are items 800 to 1199 the other way round."""
    gallery = Gallery.create(tmp_path_factory.mktemp("lengths") / "gallery", FakeEncoder(dim=DIM))
    lengths = np.resize(LENGTHS, COUNT)[:, None]
    gallery.add_vectors([f"a{i}" for i in range(COUNT)], DIRECTIONS)
    gallery.add_vectors([f"b{i}" for i in range(COUNT)], DIRECTIONS * lengths)
    gallery.add_vectors([f"c{i}" for i in range(COUNT)], (-DIRECTIONS).astype(np.float32))
    return gallery


@pytest.fixture(scope="module", params=kind_names())
def indexed(request: pytest.FixtureRequest, gallery: Gallery) -> Gallery:
    gallery.build(request.param, recall=0.99)
    return gallery


def test_equal_ones_are_first_with_a_score_of_one_and_opposite_ones_last(indexed: Gallery) -> None:
    for row in range(0, COUNT, 41):
        hits = indexed.search(row, k=2)
        assert (hits.ids.tolist(), hits.scores.tolist()) == ([row, COUNT + row], [1.0, 1.0])
        if indexed.index.kind == "exact":
            last = indexed.search(row, k=3 * COUNT)[-1]
            assert (last.id, last.score) == (2 * COUNT + row, -1.0)
            hits = indexed.search(2 * COUNT + row, k=3 * COUNT)
            assert [hit.id for hit in hits][-2:] == [row, COUNT + row]
            assert hits.scores[-2:].tolist() == [-1.0, -1.0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, list])
@pytest.mark.parametrize("length", LENGTHS)
def test_a_query_of_any_length_and_type(gallery: Gallery, length: float, dtype: type) -> None:
    query = DIRECTIONS[7] * length
    if dtype is list:
        query = query.tolist()
    else:
        with np.errstate(over="ignore"):
            query = query.astype(dtype)
        if not np.isfinite(query).all():
            with pytest.raises(InvalidInput, match="NaN or infinity"):
                gallery.search(query)
            return
        if not query.any():
            with pytest.raises(InvalidInput, match="zero"):
                gallery.search(query)
            return
    hits = gallery.search(query, k=2)
    if dtype in (np.float64, list) or length in (1, 3):
        assert hits.ids.tolist() == [7, COUNT + 7]
        assert hits.scores.tolist() == pytest.approx([1, 1], abs=1e-6)
    if dtype in (np.float64, list):
        assert hits.scores.tolist() == [1.0, 1.0]


def test_several_queries_of_different_lengths_at_once(gallery: Gallery) -> None:
    rows = np.arange(len(LENGTHS))
    found = gallery.search_many(DIRECTIONS[rows] * LENGTHS[:, None], k=2)
    assert [hits.ids.tolist() for hits in found] == [[row, COUNT + row] for row in rows]
    assert all(hits.scores.tolist() == [1.0, 1.0] for hits in found)


@pytest.mark.parametrize("weight", [1e-300, 1e-50, 1e-8, 1.0, 1e30, 1e300])
def test_only_the_ratios_of_weights_count(gallery: Gallery, weight: float) -> None:
    assert gallery.search([(7, weight)], k=1)[0].score == 1
    assert gallery.search([(7, -weight)], k=1)[0].id == 2 * COUNT + 7
    hits, expected = (gallery.search([(7, each), (9, each / 2)], k=9) for each in (weight, 1.0))
    assert hits.ids.tolist() == expected.ids.tolist()
    np.testing.assert_allclose(hits.scores, expected.scores, atol=1e-6)
    assert (hits.scores <= 1).all()


def test_parts_of_a_mixture_count_by_their_direction(gallery: Gallery) -> None:
    """A part of great length must not drown the others."""
    hits = gallery.search([(DIRECTIONS[7] * 1e30, 1.0), (DIRECTIONS[9] * 1e-30, 0.5)], k=9)
    expected = gallery.search([(7, 1.0), (9, 0.5)], k=9)
    assert hits.ids.tolist() == expected.ids.tolist()
    np.testing.assert_allclose(hits.scores, expected.scores, atol=1e-6)


@pytest.mark.parametrize("mixture", [[(7, 1.0), (COUNT + 7, -1.0)], [(7, 1e-300), (2 * COUNT + 7, 1e-300)]])
def test_parts_that_cancel_out_are_refused_whatever_their_weights(gallery: Gallery, mixture: list) -> None:
    with pytest.raises(InvalidInput, match="cancel each other out"):
        gallery.search(mixture)


def test_no_score_above_one(gallery: Gallery) -> None:
    gallery.build("exact")
    for hits in gallery.search_many(list(range(0, 3 * COUNT, 7)), k=3 * COUNT):
        assert np.abs(hits.scores).max() <= 1
        assert (np.diff(hits.scores) <= 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_direction_is_refused(gallery: Gallery, bad: float) -> None:
    rows = DIRECTIONS[:3].copy()
    rows[1, 2] = bad
    with pytest.raises(InvalidInput, match="NaN or infinity"):
        gallery.add_vectors(["x", "y", "z"], rows)
    with pytest.raises(InvalidInput, match="NaN or infinity"):
        gallery.search(rows[1])


@pytest.mark.parametrize("length", [1e-42, 1e-38, 1e-7, 1e-4, 1, 1e4, 1e30, 1e38])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_was_added_is_found_by_what_was_added(dtype: type, length: float, tmp_path: Path) -> None:
    """In the same type, where few digits are left of a vector too: denormal numbers, half precision."""
    with np.errstate(over="ignore"):
        vectors = (DIRECTIONS[:40] * length).astype(dtype)
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder(dim=DIM))
    if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        with pytest.raises(InvalidInput, match=r"NaN or infinity|zero vector"):
            gallery.add_vectors([str(row) for row in range(40)], vectors)
        assert len(gallery) == 0
        return
    gallery.add_vectors([str(row) for row in range(40)], vectors)
    gallery.add_vectors([f"{row} again" for row in range(40)], vectors)
    gallery.add_vectors([f"{row} opposite" for row in range(40)], -vectors)
    for row in (0, 7, 39):
        for query in (vectors[row], row, [(vectors[row], length)], [(row, 1.0), (vectors[row], 2.0)]):
            hits = gallery.search(query, k=120)
            equal = np.flatnonzero((vectors == vectors[row]).all(axis=1))  # few digits: others may be equal too
            assert hits.ids[: 2 * len(equal)].tolist() == [*equal, *(40 + equal)]
            assert set(hits.scores[: 2 * len(equal)].tolist()) == {1.0}
            assert set(hits.scores[120 - len(equal) :].tolist()) == {-1.0}


def test_numbers_beyond_double_precision() -> None:
    vectors = DIRECTIONS[:3].astype(np.longdouble)
    np.testing.assert_array_equal(as_unit_vectors(vectors, "vectors"), as_unit_vectors(DIRECTIONS[:3], "vectors"))
    with np.errstate(over="ignore"), pytest.raises(InvalidInput, match="3 of 3 rows hold NaN or infinity"):
        as_unit_vectors(vectors * np.longdouble("1e4000"), "vectors")
    with pytest.raises(InvalidInput, match="query: a number is beyond"):
        as_unit_vectors([10**400, 1], "query")


def test_a_score_of_one_is_shown_as_one(gallery: Gallery, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "query.npy", DIRECTIONS[7] * 1e300)
    with pytest.raises(SystemExit) as ended:
        main(["search", str(gallery.path), str(tmp_path / "query.npy"), "-k", "2", "--json"])
    assert not ended.value.code
    (answer,) = json.loads(capsys.readouterr().out)
    assert [(hit["id"], hit["score"]) for hit in answer["hits"]] == [(7, 1.0), (COUNT + 7, 1.0)]
