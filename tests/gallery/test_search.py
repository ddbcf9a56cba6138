from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.arrays import unit
from nearkin.calibration.decisions import Calibration
from nearkin.calibration.fit import fit_calibration
from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput, PictureError
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.hits import Hits
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    pictures = draw_noise(folder / "pictures", range(20))
    for name in ("red", "blue"):
        Image.new("RGB", (20, 20), name).save(folder / "pictures" / f"{name}.png")
        pictures.append(folder / "pictures" / f"{name}.png")
    items = Items.build(
        [Picture(str(path)) for path in pictures],
        labels=[path.stem for path in pictures],
        metadata={"number": list(range(22))},
    )
    gallery = Gallery.create(folder / "gallery", FakeEncoder())
    gallery.add(items)
    return gallery


def test_by_item_and_by_mixture(gallery: Gallery, folder: Path) -> None:
    first, second = gallery.vectors([3, 5])
    picture = str(folder / "pictures" / "3.png")
    expected = gallery.search(unit(first + 0.5 * second), k=4)
    assert gallery.search(3, k=1)[0].id == 3
    assert gallery.search("#3", k=1)[0].id == 3
    for mixture in (f"{picture} + 0.5 * #5", f'"{picture}" + 0.5*#5', [(picture, 1), (5, 0.5)], [(first, 2), (5, 1)]):
        hits = gallery.search(mixture, k=4)
        assert hits.ids.tolist() == expected.ids.tolist()
        np.testing.assert_allclose(hits.scores, expected.scores, atol=1e-6)
    away = gallery.search(f'"blue" - {folder / "pictures" / "red.png"}', k=22)
    assert (away[0].label, away[-1].label) == ("blue", "red")
    opposite = gallery.search([(3, -1.0)], k=22)
    assert opposite[-1].id == 3
    assert opposite[-1].score == pytest.approx(-1, abs=1e-6)
    with pytest.raises(InvalidInput, match="cancel each other out"):
        gallery.search("#3 - #3")
    with pytest.raises(InvalidInput, match="no item has the id 99"):
        gallery.search("#3 + #99")


def same(several: list[Hits], others: list[Hits]) -> None:
    for one, other in zip(several, others, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)


def test_a_batch_gives_what_one_by_one_gives(gallery: Gallery, folder: Path) -> None:
    queries = ["red", folder / "pictures" / "7.png", 4, gallery.vectors([9])[0], '#1 + "blue"']
    together = gallery.search_many(queries, k=3, where="number < 15")
    same(together, [gallery.search(query, k=3, where="number < 15") for query in queries])
    assert all(hit.metadata["number"] < 15 for hits in together for hit in hits)
    vectors = gallery.vectors(range(22))
    same(gallery.search_many(3 * vectors, k=1), [gallery.search(id, k=1) for id in range(22)])
    assert gallery.search_many([], k=1) == []


def test_pages_are_parts_of_one_list(gallery: Gallery) -> None:
    whole = gallery.search(2, k=22)
    pages = [gallery.search(2, k=5, offset=start) for start in range(0, 30, 5)]
    assert [len(page) for page in pages] == [5, 5, 5, 5, 2, 0]
    assert [hit for page in pages for hit in page] == list(whole)


def test_a_threshold_cuts_off(gallery: Gallery) -> None:
    whole = gallery.search(2, k=22)
    middle = float(whole.scores[7])
    assert gallery.search(2, k=22, threshold=middle).ids.tolist() == whole.ids[:8].tolist()
    assert len(gallery.search(2, k=3, threshold=middle)) == 3
    assert len(gallery.search(2, threshold=1.1)) == 0


def test_hits_are_a_sequence(gallery: Gallery) -> None:
    hits = gallery.search(2, k=5)
    assert isinstance(hits, Hits)
    assert hits[-1] == list(hits)[4]
    assert hits[1:3] == [hits[1], hits[2]]
    assert hits == list(hits)
    assert hits != list(hits)[:2]
    assert "Hit(id=2" in repr(hits)
    with pytest.raises(IndexError):
        _ = hits[5]


def test_equal_scores_come_by_id_even_after_rows_have_moved(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder(dim=4))
    gallery.add_vectors([f"/{i}" for i in range(30)], np.ones((30, 4)))
    gallery.update({"label": "moved"}, [0, 3])
    gallery.delete([1])
    assert gallery.search(np.ones(4), k=4).ids.tolist() == [0, 2, 3, 4]


class Calibrated(FakeEncoder):
    """An encoder with a calibration on vectors of 30 people."""

    def checked_calibration(self) -> Calibration:
        generator = np.random.default_rng(0)
        people = 1 + np.repeat(generator.normal(scale=0.33, size=(30, 16)), 4, axis=0)
        vectors = people + 0.05 * generator.normal(size=people.shape)
        return fit_calibration(vectors, np.repeat(np.arange(30), 4), fingerprint=self.fingerprint)


def test_honest_finds_nothing_where_nothing_is_alike_enough(gallery: Gallery, folder: Path) -> None:
    calibrated = Gallery.open(gallery.path, Calibrated())
    stranger = draw_noise(folder / "strangers", [500])[0]
    scores = gallery.search(stranger, k=22).scores
    calibration = Calibrated().checked_calibration()
    strict, lenient = calibration.threshold().score, calibration.threshold(0.3).score
    assert len(calibrated.search(stranger, k=22, honest=True)) == (scores >= strict).sum() == 0
    assert len(calibrated.search(stranger, k=22, honest=0.3)) == (scores >= lenient).sum()
    assert lenient < strict
    assert calibrated.search(3, honest=True)[0].id == 3
    assert len(calibrated.search(3, honest=0.3, threshold=0.9999)) == 1
    with pytest.raises(InvalidInput, match="far 1e-07 needs at least"):
        calibrated.search(3, honest=1e-7)
    with pytest.raises(InvalidInput, match="honest: a mixture with words"):
        calibrated.search('#3 + "red"', honest=True)
    with pytest.raises(InvalidInput, match="honest: encoder fake-16 cannot have a calibration"):
        gallery.search(3, honest=True)


@pytest.mark.parametrize(
    ("query", "options", "reason"),
    [
        (3, {"k": 0}, "k is 0, expected a whole number of at least 1"),
        (3, {"offset": -1}, "offset is -1"),
        (3, {"threshold": float("nan")}, "threshold is nan, expected a score"),
        (99, {}, "no item has the id 99: take ids from hits"),
        (-1, {}, "no item has the id -1"),
        (np.full(16, np.inf), {}, "NaN or infinity"),
        ([(3, 1.0), (np.ones(5), 1.0)], {}, "query.s dimension is 5"),
        (3, {"where": "numbr = 3"}, "did you mean number"),
    ],
)
def test_bad_queries(gallery: Gallery, query: object, options: dict, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        gallery.search(query, **options)


def test_a_filter_nobody_passes_and_a_gallery_that_was_emptied(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder(dim=4))
    gallery.add_vectors(["/a", "/b"], np.eye(2, 4))
    assert len(gallery.search(np.ones(4), where="item_id > 100")) == 0
    assert gallery.delete(where="true") == 2
    assert len(gallery) == 0
    with pytest.raises(InvalidInput, match="is empty"):
        gallery.search(np.ones(4))
    with pytest.raises(InvalidInput, match="no item has the id 0"):
        gallery.get([0])


def test_words_for_an_encoder_of_pictures_only(gallery: Gallery, folder: Path) -> None:
    blind = Gallery.open(gallery.path, FakeEncoder(has_text=False))
    with pytest.raises(InvalidInput, match="embeds pictures only"):
        blind.search('#3 + "red"')
    (folder / "no.jpg").write_text("no picture")
    with pytest.raises(PictureError, match=r"no\.jpg"):
        blind.search_many([3, folder / "no.jpg"])


def test_others_only(gallery: Gallery, folder: Path, tmp_path: Path) -> None:
    """Neither the item that a query names, nor the one that its picture is, wherever the picture lies."""
    pictures = [folder / "pictures" / f"{number}.png" for number in range(20)]
    copy = tmp_path / "copy.png"
    copy.write_bytes(pictures[3].read_bytes())
    for query in (3, str(pictures[3]), pictures[3], copy, f"#3 + 0.01 * {pictures[3]}", [(3, 1.0)]):
        all_ids, others = gallery.search(query, k=5).ids.tolist(), gallery.search(query, k=4, exclude_self=True)
        assert all_ids[0] == 3
        assert others.ids.tolist() == all_ids[1:]
        assert gallery.search(query, k=2, offset=1, exclude_self=True).ids.tolist() == all_ids[2:4]
    vector = gallery.vectors([3])[0]
    assert gallery.search(vector, k=1, exclude_self=True).ids.tolist() == [3], "a vector is nobody"
    both = gallery.search_many([3, 4], k=len(gallery), exclude_self=True)
    assert [sorted({*range(len(gallery))} - {*hits.ids.tolist()}) for hits in both] == [[3], [4]]
    assert len(gallery.search(3, k=5, where="item_id = 3", exclude_self=True)) == 0
