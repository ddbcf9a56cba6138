import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearkin.data.items import Broken, Items, Picture
from nearkin.errors import InvalidInput, PictureError
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.items.ingest import CHUNK, AddSummary
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def gallery(tmp_path: Path, encoder: FakeEncoder) -> Gallery:
    return Gallery.create(tmp_path / "gallery", encoder)


def contents(gallery: Gallery) -> dict[str, tuple]:
    """What the gallery holds, by uri."""
    if not len(gallery):
        return {}
    hits = gallery.search(np.ones(gallery.dim), k=10_000)
    return {hit.uri: (hit.id, hit.label, hit.captions, dict(hit.metadata)) for hit in hits}


def pgm(content: int) -> bytes:
    """A grey picture of one pixel."""
    return b"P5 1 1 255 " + bytes([content])


def test_only_new_and_changed_pictures_are_embedded(gallery: Gallery, encoder: FakeEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "pictures" / "noise"
    paths = draw_noise(folder, range(2 * CHUNK + 5))
    done: list[tuple[int, int]] = []
    assert gallery.add(tmp_path / "pictures", progress=lambda *step: done.append(step)) == AddSummary(added=len(paths))
    assert done == [(CHUNK, len(paths)), (2 * CHUNK, len(paths)), (len(paths), len(paths))]
    before = contents(gallery)
    encoder.embedded = 0

    assert gallery.add(tmp_path / "pictures") == AddSummary(unchanged=len(paths))
    assert encoder.embedded == 0
    os.utime(paths[1], ns=(1, 1))
    assert gallery.add(tmp_path / "pictures") == AddSummary(unchanged=len(paths))
    assert encoder.embedded == 0

    paths[2].write_bytes(draw_noise(tmp_path / "other", [1000])[0].read_bytes())
    draw_noise(folder, [2000])
    assert gallery.add(tmp_path / "pictures") == AddSummary(added=1, replaced=1, unchanged=len(paths) - 1)
    assert encoder.embedded == 2
    after = contents(gallery)
    assert {uri: after[uri] for uri in before} == before
    assert after[str(folder / "2000.png")][0] == len(paths)
    assert gallery.search(tmp_path / "other" / "1000.png", k=1)[0].uri == str(paths[2])


def test_two_files_that_change_places(gallery: Gallery, encoder: FakeEncoder, tmp_path: Path) -> None:
    first, second = draw_noise(tmp_path / "pictures", [1, 2])
    gallery.add(tmp_path / "pictures")
    query = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(query)
    os.utime(first, ns=(1, 1))
    os.utime(second, ns=(1, 1))
    assert gallery.add(tmp_path / "pictures").replaced == 2
    assert gallery.search(second, k=1)[0].uri == str(second)
    assert gallery.search(first, k=1)[0].uri == str(first)


def test_labels_captions_and_metadata_change_without_embedding(gallery: Gallery, encoder: FakeEncoder) -> None:
    pictures = [Picture(f"memory://{i}", lambda i=i: pgm(40 * i)) for i in range(3)]
    gallery.add(Items.build(pictures, labels=["a", "b", None], metadata={"price": [1, 2, None]}))
    encoder.embedded = 0
    vectors = gallery.search(np.ones(16))
    changed = Items.build(
        pictures, labels=["a", "c", None], captions=[["x"], [], []], metadata={"price": [1.0, 2.0, 3.0]}
    )
    assert gallery.add(changed) == AddSummary(updated=3)
    assert contents(gallery) == {
        "memory://0": (0, "a", ("x",), {"price": 1}),
        "memory://1": (1, "c", (), {"price": 2}),
        "memory://2": (2, None, (), {"price": 3}),
    }
    assert gallery.add(changed) == AddSummary(unchanged=3)
    assert encoder.embedded == 0
    assert [(hit.id, hit.score) for hit in gallery.search(np.ones(16))] == [(hit.id, hit.score) for hit in vectors]
    assert gallery.thumbnail(2).size == (1, 1)


def test_columns_that_a_source_does_not_have_stay(gallery: Gallery) -> None:
    pictures = [Picture(f"memory://{i}", lambda i=i: pgm(i)) for i in range(2)]
    gallery.add(Items.build(pictures[:1], labels=["a"], captions=[["x"]], metadata={"price": [1]}))
    gallery.add(Items.build(pictures, metadata={"дата": ["2024", None]}))
    assert contents(gallery) == {
        "memory://0": (0, "a", ("x",), {"price": 1, "дата": "2024"}),
        "memory://1": (1, None, (), {"price": None, "дата": None}),
    }
    with pytest.raises(InvalidInput, match="column 'price' holds string, the gallery's column holds int64"):
        gallery.add(Items.build(pictures, metadata={"price": ["cheap", "dear"]}))


def test_broken_pictures_are_skipped_and_named(gallery: Gallery, tmp_path: Path) -> None:
    paths = draw_noise(tmp_path / "pictures", range(4))
    gallery.add(tmp_path / "pictures")
    paths[0].write_bytes(paths[0].read_bytes()[:100])
    for name in ("empty.png", "text.jpg"):
        (tmp_path / "pictures" / name).write_text(name[:-9])
    missing = Items.build([Picture(str(path)) for path in sorted((tmp_path / "pictures").iterdir())])
    paths[3].unlink()
    summary = gallery.add(missing)
    assert asdict(summary) | {"skipped": ()} == asdict(AddSummary(unchanged=2))
    assert all(isinstance(broken, Broken) for broken in summary.skipped)
    assert [Path(broken.uri).name for broken in summary.skipped] == ["0.png", "3.png", "empty.png", "text.jpg"]
    assert "No such file" in summary.skipped[1].reason
    assert len(gallery) == 4


def test_strict_stops_at_a_broken_picture_and_keeps_the_chunks_before(gallery: Gallery, tmp_path: Path) -> None:
    paths = draw_noise(tmp_path / "pictures", range(CHUNK + 3))
    paths[CHUNK + 1].write_bytes(b"no picture")
    items = Items.build([Picture(str(path)) for path in paths])
    with pytest.raises(PictureError, match=rf"{CHUNK + 1}\.png"):
        gallery.add(items, strict=True)
    assert len(gallery) == CHUNK
    summary = gallery.add(items)
    assert (summary.added, summary.unchanged, len(summary.skipped)) == (2, CHUNK, 1)


def test_nothing_to_add(gallery: Gallery) -> None:
    assert gallery.add(Items.build([])) == AddSummary()
    assert len(gallery) == 0


# name -> (content, label, price); content 0 is broken.
_PICTURES = st.dictionaries(
    st.sampled_from("abcdefg"),
    st.tuples(st.integers(0, 4), st.sampled_from([None, "x", "y"]), st.one_of(st.none(), st.integers(0, 2))),
    max_size=7,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(adds=st.lists(_PICTURES, min_size=1, max_size=5))
def test_any_sequence_of_adds_gives_what_a_dict_would(
    adds: list[dict], tmp_path_factory: pytest.TempPathFactory
) -> None:
    encoder = FakeEncoder()
    gallery = Gallery.create(tmp_path_factory.mktemp("sequence") / "gallery", encoder)
    model: dict[str, dict] = {}
    known: dict[str, int] = {}
    for add in adds:
        items = Items.build(
            [
                Picture(name, lambda content=content: pgm(60 * content) if content else b"")
                for name, (content, _, _) in add.items()
            ],
            labels=[label for _, label, _ in add.values()],
            metadata={"price": [price for _, _, price in add.values()]},
        )
        expected = {"added": 0, "replaced": 0, "updated": 0, "unchanged": 0}
        for name, (content, label, price) in add.items():
            if not content:
                continue
            new = {"content": content}
            # A source that fills a column nowhere says nothing of it.
            new |= {"label": label} if items.has_labels else {}
            new |= {"price": price} if any(price is not None for _, _, price in add.values()) else {}
            old = model.get(name)
            model[name] = {"label": None, "price": None} | (old or {}) | new
            if old is None:
                expected["added"] += 1
            elif old["content"] != content:
                expected["replaced"] += 1
            else:
                expected["unchanged" if model[name] == old else "updated"] += 1
        embedded = encoder.embedded
        summary = gallery.add(items)
        assert {kind: getattr(summary, kind) for kind in expected} == expected
        assert len(summary.skipped) == sum(not content for content, _, _ in add.values())
        assert encoder.embedded - embedded == expected["added"] + expected["replaced"]
        ids = {name: found[0] for name, found in contents(gallery).items()}
        assert ids.items() >= known.items()
        assert len(set(ids.values())) == len(model)
        known = ids
    for name, (_, label, _, metadata) in contents(gallery).items():
        assert (label, metadata.get("price")) == tuple(model[name][key] for key in ("label", "price"))
        vector = encoder.embed_pixels(np.full((1, 8, 8, 3), 60 * model[name]["content"], dtype=np.uint8))[0]
        assert gallery.search(vector, k=100)[0].score == pytest.approx(1, abs=1e-6)
    assert len(gallery) == len(model)
