"""Enrolment and its review, through the gallery."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearkin.data.images import Preprocessing
from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput, PictureError, SourceError, UnknownName
from nearkin.gallery.classes.payload import Region
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.lance import lance
from tests.fakes import FakeEncoder, draw_noise


class WithAttributes(FakeEncoder):
    """Attributes are the red, green and blue of a picture of one colour."""

    attributes = ("red", "green", "blue")
    attribute_columns = ()

    def embed_attributes(self, rows: Any, *, unknown_words: bool = False) -> np.ndarray:
        colours = (255 * np.asarray(rows)).astype(np.uint8)
        return self.embed_pixels(colours[:, None, None].repeat(8, 1).repeat(8, 2))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return draw_noise(tmp_path / "photos", range(12))


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery.create(tmp_path / "gallery", FakeEncoder())


def sizes(gallery: Gallery) -> dict[str, int]:
    return {each.name: each.examples for each in gallery.classes()}


def test_pictures_in_every_form(gallery: Gallery, photos: list[Path]) -> None:
    gallery.add(photos[3:4])
    pixels = np.random.default_rng(99).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    summary = gallery.enroll(
        "Anna",
        [photos[0], str(photos[1]), Picture(str(photos[2])), Image.fromarray(pixels), Region(photos[4], (0, 0, 8, 16))],
        items=[0],
        texts="red",
        vectors=np.arange(1.0, 17.0),
        force=True,
    )
    assert summary.refused == ()
    assert [taken.number for taken in summary.taken] == list(range(1, 9))
    assert summary.change == 1
    [anna] = gallery.classes()
    assert (anna.examples, anna.kinds) == (8, {"picture": 5, "region": 1, "text": 1, "vector": 1})
    assert anna.since is not None


def test_more_can_be_added_later_under_any_spelling(gallery: Gallery, photos: list[Path]) -> None:
    gallery.enroll("Anna Maria", photos[0])
    summary = gallery.enroll(" anna  maria", photos[1:3])
    assert sizes(gallery) == {"Anna Maria": 3}
    assert summary.notes == ("'anna maria' is known as 'Anna Maria': `rename` changes how it is written",)


def test_what_cannot_be_read_is_refused_by_name_and_the_rest_is_taken(gallery: Gallery, photos: list[Path]) -> None:
    (bad := photos[0].with_name("bad.png")).write_bytes(b"no picture")
    summary = gallery.enroll("Anna", [bad, photos[1], "missing.jpg"], force=True)
    assert [(one.what, one.reason) for one in summary.refused] == [
        (str(bad), "unreadable"),
        ("missing.jpg", "unreadable"),
    ]
    assert sizes(gallery) == {"Anna": 1}


def test_what_is_too_small_for_the_model(tmp_path: Path) -> None:
    class Large(FakeEncoder):
        preprocessing = Preprocessing(height=64, width=64)

        def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
            return super().embed_pixels(pixels[:, ::8, ::8])

    gallery = Gallery.create(tmp_path / "large", Large())
    for side in (21, 22):
        Image.new("RGB", (side, 40), "red").save(tmp_path / f"{side}.png")
    [refused] = gallery.enroll("Anna", tmp_path / "21.png").refused
    assert (refused.reason, refused.detail) == (
        "too small",
        "21 x 40 pixels: the model sees 64 x 64, and can use a third of that or more",
    )
    assert gallery.enroll("Anna", tmp_path / "22.png").refused == ()
    assert gallery.enroll("Anna", tmp_path / "21.png", force=True).refused == ()


def test_the_same_file_and_a_near_copy_are_there_already(gallery: Gallery, tmp_path: Path) -> None:
    photo = smooth(tmp_path / "photo.png", 0)
    gallery.enroll("Anna", photo)
    Image.open(photo).resize((90, 90)).save(copy := tmp_path / "copy.jpg", quality=80)
    summary = gallery.enroll("Anna", [photo, copy, smooth(tmp_path / "other.png", 1)])
    assert [(one.what, one.reason) for one in summary.refused] == [(str(photo), "near copy"), (str(copy), "near copy")]
    assert summary.refused[0].detail == f"near copy of {photo}, an example already there (number 1)"
    assert len(summary.taken) == 1
    # A near copy can be forced; the very same file counts once.
    summary = gallery.enroll("Anna", [photo, copy], force=True)
    assert [one.what for one in summary.taken] == [str(copy)]
    assert sizes(gallery) == {"Anna": 3}


def test_two_copies_in_one_call(gallery: Gallery, tmp_path: Path) -> None:
    photo = smooth(tmp_path / "photo.png", 0)
    Image.open(photo).save(copy := tmp_path / "copy.jpg", quality=80)
    (same := tmp_path / "same.png").write_bytes(photo.read_bytes())
    summary = gallery.enroll("Anna", [photo, copy, same])
    assert [(one.what, one.detail) for one in summary.refused] == [
        (str(copy), f"near copy of {photo}"),
        (str(same), f"near copy of {photo}"),
    ]


def test_one_picture_under_two_names_is_said_with_the_way_out(gallery: Gallery, photos: list[Path]) -> None:
    gallery.enroll("Anna", photos[0])
    [refused] = gallery.enroll("Bob", photos[0]).refused
    assert refused.reason == "another name"
    assert refused.detail == (
        f"near copy of {photos[0]}, an example of 'Anna': reject it there if that is wrong, merge the two names if "
        "they are one, or use force"
    )
    gallery.reject(photos[0], "Anna")
    assert gallery.enroll("Bob", photos[0]).refused == ()
    assert sizes(gallery) == {"Anna": 0, "Bob": 1}


def test_what_was_rejected_or_ignored_is_taken_by_force_only(gallery: Gallery, photos: list[Path]) -> None:
    gallery.enroll("Anna", photos[0])
    assert gallery.reject(photos[1], "anna").change == 2
    assert gallery.ignore(photos[2]).change == 3
    summary = gallery.enroll("Anna", photos[1:3])
    assert [(one.reason, one.detail.rpartition(": ")[2]) for one in summary.refused] == [
        ("rejected", "undo 2 takes that back, or use force"),
        ("ignored", "undo 3 takes that back, or use force"),
    ]
    gallery.enroll("Anna", photos[1:3], force=True)
    assert sizes(gallery) == {"Anna": 3}
    assert gallery.classes()[0].rejected == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": " "}, "the name of a class is empty"),
        ({"name": "x" * 10_000}, "has 10,000 characters"),
        ({"name": "Anna"}, "no example of 'Anna'"),
        ({"name": "Anna", "pictures": ""}, "the path of a picture is empty"),
        ({"name": "Anna", "pictures": [None]}, "expected a picture, its path, or the id of an item"),
        ({"name": "Anna", "items": [7]}, "no item has the id 7"),
        ({"name": "Anna", "texts": ["red", " "]}, "text 1 is ' '"),
        ({"name": "Anna", "attributes": [1.0]}, "knows no attributes"),
        ({"name": "Anna", "vectors": [[np.nan] * 16]}, "NaN or infinity"),
        ({"name": "Anna", "vectors": [[0.0] * 16]}, "zero vector"),
        ({"name": "Anna", "vectors": [[1.0] * 8]}, "the dimension is 8, expected 16"),
    ],
)
def test_bad_input_writes_nothing(gallery: Gallery, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        gallery.enroll(**arguments)
    assert gallery.classes() == []
    assert not (gallery.path / "examples.lance").exists()


def test_a_box_outside_of_its_picture(gallery: Gallery, photos: list[Path]) -> None:
    with pytest.raises(InvalidInput, match=r"inside 16 x 16 pixels"):
        gallery.enroll("Anna", Region(photos[0], (0, 0, 17, 4)))


def test_words_on_a_model_without_words(tmp_path: Path, photos: list[Path]) -> None:
    gallery = Gallery.create(tmp_path / "pictures only", FakeEncoder(has_text=False))
    with pytest.raises(InvalidInput, match="embeds pictures only, so that a class cannot be told by words"):
        gallery.enroll("Anna", photos[0], texts="red")
    assert gallery.classes() == []


def test_attributes(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "attributes", WithAttributes())
    gallery.enroll("red", attributes=[1, 0, 0])
    gallery.enroll("green", attributes={"blue": 0, "green": 1, "red": 0})
    assert gallery.classes()[1].kinds == {"attributes": 1}
    for wrong, said in (
        ([1, 0], "the model has 3"),
        ([1, np.nan, 0], "'green' is nan"),
        ({"red": 1}, "'green' is missing"),
        ({"red": 1, "green": 0, "blue": 0, "size": 1}, "'size' is none of the model's"),
        ("red", "expected 3 numbers"),
    ):
        with pytest.raises(InvalidInput, match=said):
            gallery.enroll("x", attributes=wrong)


class OfOtherAttributes(WithAttributes):
    """As many, but of other names or in another order."""

    def __init__(self, *attributes: str) -> None:
        super().__init__(name=" ".join(attributes))
        self.attributes = attributes

    def embed_attributes(self, rows: Any, *, unknown_words: bool = False) -> np.ndarray:
        at = [self.attributes.index(name) for name in ("red", "green", "blue") if name in self.attributes]
        return super().embed_attributes(np.asarray(rows)[:, (at * 3)[:3]])


def test_attributes_go_to_another_model_by_their_names(tmp_path: Path) -> None:
    colours = {"red": [1, 0, 0], "green": [0, 1, 0], "blue": [0, 0, 1]}
    gallery = Gallery.create(tmp_path / "attributes", WithAttributes())
    for name, numbers in colours.items():
        gallery.enroll(name, attributes=numbers)
    moved = gallery.reindex(OfOtherAttributes("blue", "red", "green"))
    assert (moved.examples, moved.why_left) == (3, {})
    for name, numbers in colours.items():
        picture = Image.fromarray(np.full((32, 32, 3), 255 * np.array(numbers), np.uint8))
        assert gallery.recognize(picture)[0].candidates[0].name == name
    # As many numbers of other names are not the same attributes.
    assert gallery.reindex(OfOtherAttributes("red", "green", "size")).why_left == {"attributes without 'size'": 3}
    assert gallery.reindex(OfOtherAttributes("red", "green")).why_left == {}
    assert gallery.reindex(FakeEncoder(name="bare")).why_left == {"attributes, which it does not embed": 3}


def test_a_registry_from_before_attributes_had_names(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "old", WithAttributes())
    gallery.enroll("red", attributes=[1, 0, 0])
    log = lance.dataset(str(tmp_path / "old" / "examples.lance"))
    log.drop_columns(["attribute_names"])
    old = Gallery.open(tmp_path / "old", WithAttributes())
    assert [each.name for each in old.classes()] == ["red"]
    old.enroll("blue", attributes={"red": 0, "green": 0, "blue": 1})
    assert old.check().sound
    # Without names only their number tells whether they are the same.
    moved = old.reindex(OfOtherAttributes("blue", "green", "red"))
    assert (moved.examples, moved.why_left) == (2, {})
    assert old.reindex(OfOtherAttributes("blue", "red")).why_left == {"3 attributes without names, where it has 2": 1}


def test_many_from_a_folder_and_again(gallery: Gallery, tmp_path: Path) -> None:
    draw_noise(tmp_path / "people" / "Anna", range(3))
    draw_noise(tmp_path / "people" / "Bob", range(3, 5))
    draw_noise(tmp_path / "people", [9])
    summary = gallery.enroll_many(tmp_path / "people")
    assert sizes(gallery) == {"Anna": 3, "Bob": 2}
    assert [(one.reason, Path(one.what).name) for one in summary.refused] == [("no name", "9.png")]
    again = gallery.enroll_many(tmp_path / "people")
    assert again.taken == ()
    assert {one.reason for one in again.refused} == {"no name", "near copy"}
    assert gallery.undo().examples == 5
    assert gallery.classes() == []


def test_many_from_a_table(tmp_path: Path, photos: list[Path]) -> None:
    gallery = Gallery.create(tmp_path / "many", WithAttributes())
    table = tmp_path / "classes.csv"
    table.write_text("name,path,text,red,green,blue\nAnna,photos/1.png,,,,\nred,,red,1,0,0\n,photos/2.png,,,,\n")
    summary = gallery.enroll_many(table)
    assert {each.name: each.kinds for each in gallery.classes()} == {
        "Anna": {"picture": 1},
        "red": {"text": 1, "attributes": 1},
    }
    assert [(one.what, one.reason) for one in summary.refused] == [(f"{table} row 4", "no name")]
    for text, said in (
        ("who,path\nAnna,1.png\n", "no column of names"),
        ("name,size\nAnna,1\n", "no examples: expected"),
        ("name,path\nAnna,\n", "row 2: no example"),
        ("name,red,green,blue\nred,1,much,0\n", "row 2: attribute 'green' is 'much'"),
        ("name,red,green,blue\nred,1,,0\n", "row 2: attribute 'green'"),
    ):
        table.write_text(text)
        with pytest.raises(SourceError, match=said):
            gallery.enroll_many(table)


def test_many_from_a_column_embed_nothing(tmp_path: Path) -> None:
    photos = [smooth(tmp_path / f"{number}.png", number) for number in range(12)]
    encoder = FakeEncoder()
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    gallery.add(Items.build([Picture(str(path)) for path in photos], labels=["a"] * 5 + ["b"] * 6 + [None]))
    before = encoder.embedded
    gallery.enroll_many(column="label")
    assert encoder.embedded == before
    assert sizes(gallery) == {"a": 5, "b": 6}
    with pytest.raises(UnknownName, match="unknown column 'lable': did you mean label"):
        gallery.enroll_many(column="lable")
    with pytest.raises(InvalidInput, match="say what to enrol"):
        gallery.enroll_many()


def test_an_item_whose_file_is_gone_is_kept_by_its_thumbnail(tmp_path: Path, photos: list[Path]) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    gallery.add(photos[:2])
    photos[0].unlink()
    gallery.add_vectors(["/elsewhere.jpg"], np.ones((1, 16)))
    gallery.enroll("Anna", items=[0, 2])
    assert gallery.classes()[0].kinds == {"picture": 1, "vector": 1}


def test_a_correction_of_what_cannot_be_read_writes_nothing(gallery: Gallery, photos: list[Path]) -> None:
    gallery.enroll("Anna", photos[0])
    with pytest.raises(PictureError, match=r"missing\.jpg"):
        gallery.reject("missing.jpg", "Anna")
    with pytest.raises(PictureError, match=r"missing\.jpg"):
        gallery.ignore([photos[1], "missing.jpg"])
    with pytest.raises(UnknownName, match="did you mean Anna"):
        gallery.reject(photos[1], "Ana")
    assert len(gallery.class_changes()) == 1


def test_a_large_picture_is_kept_small(gallery: Gallery, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(large := tmp_path / "large.png")
    gallery.enroll("Anna", large)
    [kept] = gallery._registry.log.pictures([1]).values()
    assert kept is not None
    assert Image.open(BytesIO(kept)).size == (512, 384)


def smooth(path: Path, seed: int) -> Path:
    """A picture with large patches of colour, which look alike when they are saved again."""
    cells = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(cells).resize((120, 120), Image.Resampling.BICUBIC).save(path)
    return path
