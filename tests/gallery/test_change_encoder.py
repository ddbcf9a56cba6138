from pathlib import Path

import numpy as np
import pytest

from nearkin.data.items import Items, Picture
from nearkin.errors import EncoderMismatch, InvalidInput
from nearkin.gallery.change_encoder import CHUNK, as_column
from nearkin.gallery.gallery import AddSummary, Gallery
from nearkin.gallery.items.columns import NEXT_VECTOR
from nearkin.gallery.items.store import ENCODER, Store
from tests.fakes import FakeEncoder, draw_noise

COUNT = CHUNK + 4


class Tired(FakeEncoder):
    """Stops in the middle, as a process that is killed."""

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        if self.embedded:
            raise KeyboardInterrupt
        return super().embed_pixels(pixels)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return draw_noise(tmp_path / "pictures", range(COUNT))


@pytest.fixture
def gallery(tmp_path: Path, pictures: list[Path]) -> Gallery:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    gallery.add(Items.build([Picture(str(path)) for path in pictures], metadata={"n": list(range(COUNT))}))
    return gallery


@pytest.mark.parametrize("kind", ["exact", "lsh"])
def test_the_index_follows_at_once(gallery: Gallery, pictures: list[Path], kind: str) -> None:
    gallery.build(kind)
    gallery.reindex(FakeEncoder(dim=8, name="new"))
    assert (gallery.index.kind, gallery.index.changed) == (kind, 0)
    assert gallery.search(pictures[7], k=1)[0].id == gallery.search(7, k=1)[0].id == 7


def test_old_vectors_serve_until_the_new_ones_are_complete(gallery: Gallery, pictures: list[Path]) -> None:
    old = Gallery.open(gallery.path, FakeEncoder())
    before = old.search(pictures[7], k=3)
    with pytest.raises(KeyboardInterrupt):
        Gallery.open(gallery.path).reindex(Tired(dim=8, name="new"))
    assert old.search(pictures[7], k=3) == before
    gallery.delete([3])
    gallery.update({"n": -1}, [5])

    new = FakeEncoder(dim=8, name="new")
    steps: list[tuple[int, int]] = []
    summary = gallery.reindex(new, progress=lambda *step: steps.append(step))
    assert (summary.items, summary.embedded, summary.dropped) == (COUNT - 1, COUNT - CHUNK, ())
    assert steps == [(COUNT - 1, COUNT - 1)]
    assert summary.agreement is not None
    assert 0 < summary.agreement.value < 1
    assert (gallery.fingerprint, gallery.dim, len(gallery)) == ("new-8", 8, COUNT - 1)
    np.testing.assert_allclose(gallery.vectors([7, 0]), new.embed_images([pictures[7], pictures[0]]), atol=1e-6)
    assert gallery.search(pictures[7], k=1)[0].id == 7
    assert gallery.get([5])[0].metadata == {"n": -1}
    assert gallery.check().sound
    with pytest.raises(EncoderMismatch, match="has changed to encoder new-8: open it again"):
        old.search(pictures[7])
    # The old encoder stays as long as a version that needs it can be restored.
    assert sorted(path.name for path in (gallery.path / "encoders").iterdir()) == ["fake-16", "new-8"]
    items = Items.build([Picture(str(path)) for path in pictures])
    assert gallery.add(items) == AddSummary(added=1, unchanged=COUNT - 1)
    assert not list((gallery.path / "staging").iterdir())
    with pytest.raises(InvalidInput, match="has encoder new-8 already"):
        gallery.reindex(new)
    assert gallery.reindex(FakeEncoder()).agreement is not None
    assert gallery.search(pictures[7], k=3).ids.tolist()[0] == 7


def test_neighbours_agree_where_the_vectors_are_the_same(gallery: Gallery) -> None:
    class Renamed(FakeEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.fingerprint = "renamed"

    agreement = gallery.reindex(Renamed()).agreement
    assert agreement is not None
    assert agreement.value == 1


def test_missing_pictures_stop_it_or_are_dropped(gallery: Gallery, pictures: list[Path]) -> None:
    pictures[2].unlink()
    pictures[4].write_bytes(b"no picture")
    new = FakeEncoder(dim=8, name="new")
    with pytest.raises(InvalidInput, match=r"2 pictures cannot be read, such as .*2\.png.*--drop-missing"):
        gallery.reindex(new)
    assert gallery.fingerprint == "fake-16"
    summary = gallery.reindex(new, drop_missing=True)
    assert (summary.items, summary.embedded) == (COUNT - 2, 0)
    assert [Path(broken.uri).name for broken in summary.dropped] == ["2.png", "4.png"]
    with pytest.raises(InvalidInput, match="no item has the id 2"):
        gallery.get([2])


def test_pictures_from_a_source(tmp_path: Path) -> None:
    pictures = [Picture(f"hf://set#{i}", lambda i=i: b"P5 1 1 255 " + bytes([50 * i])) for i in range(3)]
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    gallery.add(Items.build(pictures))
    with pytest.raises(InvalidInput, match="3 pictures cannot be read"):
        gallery.reindex(FakeEncoder(name="new"))
    assert gallery.reindex(FakeEncoder(name="new"), source=Items.build(pictures)).items == 3


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_writer_finishes_or_takes_back_a_change_that_was_cut_short(gallery: Gallery, steps: int) -> None:
    """The process died after the first, second or third commit of the change."""
    reader = Gallery.open(gallery.path)
    old = reader.vectors(range(COUNT))
    new = np.roll(old, 1, axis=1)
    store = Store(str(gallery.path / "items.lance"))
    dataset = store.newest()
    dataset.add_columns(as_column(new, "other"))
    if steps > 1:
        store.configure({ENCODER: "other"})
    if steps > 2:
        store.newest().drop_columns(["vector"])
    expected = old if steps == 1 else new
    np.testing.assert_array_equal(reader.vectors(range(COUNT)), expected)
    assert len(reader.search(expected[3])) == 10
    gallery = Gallery.open(gallery.path)
    gallery.delete([0])
    assert NEXT_VECTOR not in gallery._store.snapshot().schema.names
    np.testing.assert_array_equal(gallery.vectors(range(1, COUNT)), expected[1:])
    assert gallery.add_vectors(["/x"], expected[:1]).added == 1
    np.testing.assert_array_equal(reader.vectors([3]), expected[3:4])
