import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nearkin.data.decoding import decode
from nearkin.data.images import Preprocessing
from nearkin.data.items import Items, Picture
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.errors import ArtefactError, EncoderMismatch, InvalidInput, PictureError
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return draw_noise(tmp_path / "pictures", range(8))


@pytest.fixture
def gallery(tmp_path: Path, encoder: FakeEncoder, pictures: list[Path]) -> Gallery:
    items = Items.build(
        [Picture(str(path)) for path in pictures],
        labels=["even" if i % 2 == 0 else "odd" for i in range(8)],
        captions=[[f"noise {i}", "шум"] for i in range(8)],
        metadata={"price": [i / 2 for i in range(8)]},
    )
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    gallery.add(items)
    return gallery


def test_a_picture_finds_itself_by_path_pixels_and_vector(gallery: Gallery, pictures: list[Path]) -> None:
    image = decode(pictures[3])
    vector = gallery.encoder.embed_images([image])[0]
    for query in (pictures[3], str(pictures[3]), image, np.asarray(image), vector, torch.from_numpy(7 * vector)):
        hits = gallery.search(query, k=3)
        assert len(hits) == 3
        assert hits[0].id == 3
        assert hits[0].score == pytest.approx(1, abs=1e-6)
        assert hits[0].score > hits[1].score >= hits[2].score
    hit = hits[0]
    assert (hit.uri, hit.label, hit.captions) == (str(pictures[3]), "odd", ("noise 3", "шум"))
    assert hit.metadata == {"price": 1.5}


def test_words_find_their_colour(tmp_path: Path, encoder: FakeEncoder) -> None:
    folder = tmp_path / "colours"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (200, 100), name).save(folder / f"{name}.png")
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    gallery.add(folder)
    for words, name in [("a red car", "red"), ("Красный", "red"), ("something blue, " * 50, "blue")]:
        assert Path(gallery.search(words, k=1)[0].uri).stem == name
    thumbnail = gallery.thumbnail(gallery.search("green", k=1)[0].id)
    assert thumbnail.size == (96, 48)
    assert np.abs(np.asarray(thumbnail).astype(int) - (0, 128, 0)).max() < 5


def test_k_beyond_the_gallery_gives_all(gallery: Gallery, pictures: list[Path]) -> None:
    hits = gallery.search(pictures[0], k=100)
    assert sorted(hit.id for hit in hits) == list(range(8))


def test_equal_pictures_come_in_order_of_id(gallery: Gallery, tmp_path: Path, pictures: list[Path]) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    for i in range(5):
        shutil.copy(pictures[5], copies / f"{i}.png")
    gallery.add(copies)
    assert [hit.id for hit in gallery.search(pictures[5], k=4)] == [5, 8, 9, 10]


def test_opened_again_by_another(gallery: Gallery, encoder: FakeEncoder, pictures: list[Path], tmp_path: Path) -> None:
    other = Gallery.open(gallery.path, encoder)
    assert other.search(pictures[2]) == gallery.search(pictures[2])
    more = draw_noise(tmp_path / "more", [100])
    gallery.add(tmp_path / "more")
    assert len(other) == 9
    assert other.search(more[0], k=1)[0].uri == str(more[0])
    gallery.path.rename(tmp_path / "moved")
    moved = Gallery.open(str(tmp_path / "moved"), encoder)
    moved.add(tmp_path / "more")
    assert len(moved.search(more[0])) == 9
    with pytest.raises(ArtefactError, match="the gallery's items cannot be read or written: Not found"):
        other.search(more[0])
    assert repr(moved) == f"Gallery('{tmp_path / 'moved'}', 9 items, encoder fake-16)"


def test_own_copy_of_the_encoder_serves_when_none_is_given(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=64, width=64))
    image = Image.effect_noise((700, 500), 90).convert("RGB")
    (tmp_path / "large").mkdir()
    image.save(tmp_path / "large" / "photo.jpg")
    Gallery.create(tmp_path / "gallery", encoder).add(tmp_path / "large")
    gallery = Gallery.open(tmp_path / "gallery")
    assert gallery.fingerprint == encoder.fingerprint
    # A large JPEG is decoded at a lower size both when it is added and when it is asked for.
    assert gallery.search(tmp_path / "large" / "photo.jpg")[0].score == pytest.approx(1, abs=1e-6)
    with pytest.raises(InvalidInput, match="embeds pictures only"):
        gallery.search("red heart")
    other = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=64, width=64))
    other.save_pretrained(gallery.path / "encoders" / encoder.fingerprint)
    with pytest.raises(ArtefactError, match=f"the model in encoders/{encoder.fingerprint} is {other.fingerprint}"):
        _ = Gallery.open(gallery.path).encoder


def test_another_encoder_is_refused(gallery: Gallery) -> None:
    with pytest.raises(EncoderMismatch, match=r"of encoder fake-16, this is encoder other-16: .* `nearkin reindex`"):
        Gallery.open(gallery.path, FakeEncoder(name="other"))


def test_where_a_gallery_can_be_made(gallery: Gallery, encoder: FakeEncoder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert len(Gallery.create(tmp_path / "empty", encoder)) == 0
    assert len(Gallery.create(tmp_path / "deep" / "down", encoder)) == 0
    with pytest.raises(InvalidInput, match=r"is a gallery already: open it with Gallery\.open"):
        Gallery.create(gallery.path, encoder)
    with pytest.raises(InvalidInput, match="is not empty and is not a gallery"):
        Gallery.create(tmp_path / "pictures", encoder)
    with pytest.raises(InvalidInput, match="cannot make a gallery at"):
        Gallery.create(tmp_path / "pictures" / "0.png", encoder)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "gallery.json is damaged"),
        ("[]", "gallery.json is damaged"),
        (
            json.dumps({"format": 1, "encoder": "x", "dim": 1}),
            "has format 1, this nearkin reads 2: index the pictures again",
        ),
        (json.dumps({"format": 3}), "has format 3, this nearkin reads 2: update nearkin"),
        (None, "no gallery at .* make one with `nearkin index`"),
    ],
)
def test_a_damaged_pin_is_refused(gallery: Gallery, content: str | None, reason: str) -> None:
    pin = gallery.path / "gallery.json"
    if content is None:
        pin.unlink()
    else:
        pin.write_text(content)
    with pytest.raises(ArtefactError, match=reason):
        Gallery.open(gallery.path)


def test_missing_items_are_refused(gallery: Gallery) -> None:
    shutil.rmtree(gallery.path / "items.lance")
    with pytest.raises(ArtefactError, match=r"items\.lance' is missing or damaged"):
        Gallery.open(gallery.path)


@pytest.mark.parametrize(
    ("query", "k", "reason"),
    [
        ("red", 0, "k is 0, expected a whole number of at least 1"),
        ("red", -3, "k is -3"),
        ("missing.png", 1, "no such file: 'missing.png'"),
        (Path("missing"), 1, "no such file: 'missing'"),
        (
            np.ones(3),
            1,
            "the query's dimension is 3, the gallery's is 16 .encoder fake-16.: embed the query with that encoder",
        ),
        (np.full(16, np.nan), 1, "hold NaN or infinity"),
        (np.zeros(16), 1, "zero vector"),
    ],
)
def test_bad_queries(gallery: Gallery, query: str | Path | np.ndarray, k: int, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        gallery.search(query, k)


def test_further_bad_queries(gallery: Gallery, encoder: FakeEncoder, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(PictureError, match=r"text\.jpg"):
        gallery.search(tmp_path / "text.jpg")
    with pytest.raises(InvalidInput, match=r"is empty: add pictures with Gallery\.add"):
        Gallery.create(tmp_path / "empty", encoder).search("red")
    with pytest.raises(InvalidInput, match="no item has the id 77"):
        gallery.thumbnail(77)
    encoder.has_text = False
    with pytest.raises(InvalidInput, match="embeds pictures only"):
        gallery.search("red")


def test_searches_beside_two_writers(tmp_path: Path, encoder: FakeEncoder) -> None:
    """Galleries of their own, as two processes would have: no search fails, and every picture is added once."""
    draw_noise(tmp_path / "pictures", range(40))
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    batches = [
        [Picture(str(tmp_path / "pictures" / f"{i}.png")) for i in range(part, part + 5)] for part in range(0, 40, 5)
    ]

    def write() -> None:
        writer = Gallery.open(gallery.path, FakeEncoder())
        for batch in batches:
            writer.add(Items.build(batch))

    gallery.add(Items.build(batches[0]))
    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    query, seen = np.ones(16), 0
    while any(writer.is_alive() for writer in writers):
        count = len(gallery.search(query, k=100))
        assert count >= seen
        seen = count
    hits = gallery.search(query, k=100)
    assert sorted(hit.id for hit in hits) == list(range(40))
    assert len({hit.uri for hit in hits}) == 40


def test_a_lost_model_is_named(gallery: Gallery) -> None:
    shutil.rmtree(gallery.path / "encoders")
    opened = Gallery.open(gallery.path)
    assert opened.search(0, k=1)[0].id == 0
    with pytest.raises(ArtefactError, match=r"has lost its copy of the model .*put it back into encoders/"):
        _ = opened.encoder


def test_check_tells_of_items_that_cannot_be_read(gallery: Gallery) -> None:
    for file in (gallery.path / "items.lance" / "data").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    report = Gallery.open(gallery.path).check()
    assert not report.sound
    assert report.faults[0].endswith("restore items.lance, or index the pictures again")
