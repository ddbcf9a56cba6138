"""Recognition through the gallery: names, strangers, and corrections that bind."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearkin.data.items import Broken
from nearkin.errors import InvalidInput, PictureError, UnknownName
from nearkin.gallery.classes.recognizers import without
from nearkin.gallery.gallery import Gallery
from nearkin.recognition.decision import Candidate
from tests.fakes import FakeEncoder
from tests.gallery.classes.drawn import draw_view, draw_views


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Thirty things, three views of each."""
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    gallery.enroll_many(draw_views(tmp_path / "things", range(30), range(3)), force=True)
    return gallery


def test_names_and_strangers(gallery: Gallery, tmp_path: Path) -> None:
    known = [draw_view(tmp_path / f"{thing}.png", thing, 9) for thing in range(30)]
    strangers = [draw_view(tmp_path / f"{thing}.png", thing, 9) for thing in range(100, 140)]
    answers = gallery.recognize(known, fpir=0.1)
    assert np.mean([answer.name == f"thing {thing}" for thing, answer in enumerate(answers)]) > 0.8
    assert all(answer.candidates[0].name == f"thing {thing}" for thing, answer in enumerate(answers))
    named = [answer.name for answer in gallery.recognize(strangers, fpir=0.1)]
    assert np.mean([name is not None for name in named]) <= answers[0].threshold.fpir_high
    best = answers[7].candidates[0]
    assert len(answers[7].candidates) == 3
    assert [each.what for each in best.evidence] == [str(tmp_path / f"things/thing 7/{i}.png") for i in _views(best)]
    assert answers[7].threshold.classes == 30
    assert answers[7].threshold.measured


def _views(candidate: Any) -> list[int]:
    return [int(Path(each.what).stem) for each in candidate.evidence]


def test_queries_of_every_form(gallery: Gallery, tmp_path: Path) -> None:
    path = draw_view(tmp_path / "query.png", 7, 9)
    gallery.add([path])
    vector = gallery.vectors([0])[0]
    forms = [path, str(path), Image.open(path), 0, "#0", vector]
    names = [answer.candidates[0].name for answer in gallery.recognize(forms)]
    assert names == ["thing 7"] * len(forms)
    assert gallery.recognize(path)[0].score == pytest.approx(gallery.recognize(vector[None])[0].score)
    with pytest.raises(InvalidInput, match="the dimension is 8, expected 16"):
        gallery.recognize(np.ones(8))


def test_what_cannot_be_read(gallery: Gallery, tmp_path: Path) -> None:
    (bad := tmp_path / "bad.png").write_text("no picture")
    good = draw_view(tmp_path / "query.png", 7, 9)
    with pytest.raises(PictureError, match=r"bad\.png: no picture"):
        gallery.recognize([good, bad])
    one, other = gallery.recognize([bad, good], strict=False)
    assert isinstance(one, Broken)
    assert other.candidates[0].name == "thing 7"  # type: ignore[union-attr]


def test_no_class_at_all(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    picture = draw_view(tmp_path / "query.png", 7)
    for _ in range(2):
        with pytest.raises(
            InvalidInput, match=r"knows no class yet: teach it one with Gallery\.enroll or `nearkin enroll`"
        ):
            gallery.recognize(picture)
        gallery.ignore(draw_view(tmp_path / "stranger.png", 8))


def test_one_class(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    gallery.enroll("thing 7", draw_view(tmp_path / "example.png", 7))
    same, other = gallery.recognize([draw_view(tmp_path / "a.png", 7, 1), draw_view(tmp_path / "b.png", 8)])
    assert same.score > other.score
    assert same.candidates[0].name == "thing 7"
    assert not same.threshold.measured
    with pytest.raises(InvalidInput, match=r"fpir 0\.01"):
        gallery.recognize(tmp_path / "a.png", fpir=0.01)


def test_a_class_whose_examples_were_all_rejected_gives_no_name(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    example = draw_view(tmp_path / "example.png", 7)
    gallery.enroll("thing 7", example)
    gallery.reject(example, "thing 7")
    for picture in (example, draw_view(tmp_path / "a.png", 7, 1)):
        [answer] = gallery.recognize(picture)
        assert (answer.decision, answer.name, answer.candidates) == ("unknown", None, ())


def test_a_rejected_picture_and_its_copies_never_get_the_name_again(gallery: Gallery, tmp_path: Path) -> None:
    picture = draw_view(tmp_path / "query.png", 7, 9)
    assert gallery.recognize(picture, fpir=0.1)[0].candidates[0].name == "thing 7"
    gallery.reject(picture, "thing 7")
    Image.open(picture).save(copy := tmp_path / "copy.jpg", quality=70)
    Image.open(picture).resize((60, 60)).save(small := tmp_path / "small.png")
    for each in (picture, copy, small):
        [answer] = gallery.recognize(each, fpir=0.1)
        assert "thing 7" not in [one.name for one in answer.candidates]
        assert len(answer.candidates) == 3
        assert answer.reason == f"a near copy of {picture}, which was rejected for 'thing 7'"
    # Other pictures of the class still get it.
    assert gallery.recognize(tmp_path / "things/thing 7/0.png", fpir=0.1)[0].name == "thing 7"
    gallery.undo()
    assert gallery.recognize(picture, fpir=0.1)[0].candidates[0].name == "thing 7"


def test_what_a_rejected_class_was_thought_to_be_goes_to_the_others() -> None:
    """0.2 are a stranger's: it gets its part, too. A picture that was sure to be of the class is anyone's."""
    candidates = [Candidate("", number, 0.0, share) for number, share in enumerate([0.4, 0.3, 0.1])]
    assert [one.probability for one in without(candidates, [1])] == pytest.approx([0.4 / 0.7, 0.1 / 0.7])
    sure = [Candidate("", number, 0.0, share) for number, share in enumerate([1.0, 0.0])]
    assert [one.probability for one in without(sure, [0])] == [0.0]
    assert without(candidates, []) == candidates


def test_an_ignored_picture_and_its_copies_get_no_name_and_count_as_a_stranger(
    gallery: Gallery, tmp_path: Path
) -> None:
    picture = draw_view(tmp_path / "query.png", 7, 9)
    before = gallery.recognize(picture, fpir=0.1)[0].threshold
    gallery.ignore(picture)
    Image.open(picture).save(copy := tmp_path / "copy.jpg", quality=70)
    for each in (picture, copy):
        [answer] = gallery.recognize(each, fpir=0.1)
        assert (answer.decision, answer.candidates) == ("unknown", ())
        assert answer.reason == f"a near copy of {picture}, which is to be ignored"
        assert answer.threshold.trials == before.trials + 1


def test_what_was_rejected_binds_after_a_rename_a_merge_and_a_forget(gallery: Gallery, tmp_path: Path) -> None:
    picture = draw_view(tmp_path / "query.png", 7, 9)
    gallery.reject(picture, "thing 7")

    def names() -> list[str]:
        return [one.name for one in gallery.recognize(picture, fpir=0.1, k=30)[0].candidates]

    gallery.rename("thing 7", "Seven")
    assert "Seven" not in names()
    gallery.merge("Seven", "thing 8")
    assert "thing 8" not in names()
    gallery.forget("thing 8")
    gallery.enroll("thing 8", tmp_path / "things/thing 7/0.png")
    assert "thing 8" not in names()
    assert "thing 9" in names()


def test_strangers_from_elsewhere(gallery: Gallery, tmp_path: Path) -> None:
    draw_views(tmp_path / "strangers", range(100, 120), range(2))
    picture = draw_view(tmp_path / "query.png", 7, 9)
    own = gallery.recognize(picture, fpir=0.2)[0].threshold
    more = gallery.recognize(picture, fpir=0.2, strangers=tmp_path / "strangers")[0].threshold
    assert (more.trials, more.strangers) == (own.trials + 40, own.strangers + 20)
    with pytest.raises(InvalidInput, match="all items of the gallery are examples of classes"):
        gallery.recognize(picture, strangers="unnamed")
    gallery.add(tmp_path / "strangers")
    unnamed = gallery.recognize(picture, fpir=0.2, strangers="unnamed")[0].threshold
    assert unnamed.trials == own.trials + 40


def test_an_open_gallery_follows_what_another_process_says(gallery: Gallery, tmp_path: Path) -> None:
    other = Gallery.open(gallery.path, FakeEncoder())
    picture = draw_view(tmp_path / "query.png", 77, 9)
    assert other.recognize(picture)[0].candidates[0].name != "new"
    gallery.enroll("new", draw_view(tmp_path / "new.png", 77))
    [answer] = other.recognize(picture)
    assert answer.candidates[0].name == "new"
    assert answer.threshold.classes == 31
    assert answer.score == pytest.approx(Gallery.open(gallery.path, FakeEncoder()).recognize(picture)[0].score)


def test_words_and_pictures_together(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    for name, colour in (("red", "red"), ("green", (0, 128, 0)), ("blue", "blue")):
        Image.new("RGB", (20, 20), colour).save(tmp_path / f"{name}.png")
        gallery.enroll(name, texts=name)
    names = [
        answer.candidates[0].name for answer in gallery.recognize([tmp_path / f"{n}.png" for n in ("red", "blue")])
    ]
    assert names == ["red", "blue"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"k": 0}, "k is 0"),
        ({"fpir": 0.0}, "fpir"),
        ({"fpir": 1.5}, "fpir"),
        ({"fpir": 1e-6}, "fpir 1e-06"),
        ({"strangers": "no/such/folder"}, "no such file or folder"),
    ],
)
def test_bad_arguments(gallery: Gallery, tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        gallery.recognize(draw_view(tmp_path / "query.png", 7), **arguments)


def test_an_unknown_way_to_score(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown way to score a class 'prototyp': did you mean prototype"):
        gallery.recognize(draw_view(tmp_path / "query.png", 7), scorer="prototyp")


def test_what_was_made_is_kept_for_the_next_process(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = draw_view(tmp_path / "query.png", 7, 9)
    [first] = gallery.recognize(picture, fpir=0.1)
    [file] = (gallery.path / "derived" / "recognition").iterdir()
    whole = file.read_bytes()
    # What lies there is enough: nothing is fitted.
    with monkeypatch.context() as patched:
        patched.setattr("nearkin.recognition.recognizer.measure_space", None)
        assert Gallery.open(gallery.path, FakeEncoder()).recognize(picture, fpir=0.1)[0] == first
    # A damaged file is made again: cut off anywhere, empty, or with a byte turned.
    turned = bytearray(whole)
    turned[len(whole) // 2] ^= 255
    for damaged in (b"", b"damaged", whole[: len(whole) // 2], whole[:-1], bytes(turned)):
        file.write_bytes(damaged)
        assert Gallery.open(gallery.path, FakeEncoder()).recognize(picture, fpir=0.1)[0] == first
        assert file.stat().st_size == len(whole)


def test_what_was_made_of_other_examples_is_noticed(gallery: Gallery, tmp_path: Path) -> None:
    picture = draw_view(tmp_path / "query.png", 7, 9)
    gallery.recognize(picture)
    for change in (
        lambda: gallery.enroll("more", draw_view(tmp_path / "more.png", 99)),
        lambda: gallery.reject(picture, "thing 7"),
        gallery.undo,
        lambda: gallery.forget("thing 3"),
        lambda: gallery.rename("thing 4", "thing four"),
        lambda: gallery.merge("thing 5", "thing 6"),
    ):
        change()
        expected = Gallery.open(gallery.path, FakeEncoder()).recognize(picture)[0]
        shutil.rmtree(gallery.path / "derived")
        assert Gallery.open(gallery.path, FakeEncoder()).recognize(picture)[0] == expected


def test_health_names_the_example_that_does_not_fit(gallery: Gallery, tmp_path: Path) -> None:
    sound = gallery.class_health(fpir=0.1)
    assert sound.accuracy is not None
    assert sound.accuracy.value > 0.9
    assert sound.misfits == ()
    wrong = draw_view(tmp_path / "wrong.png", 7, 9)
    change = gallery.enroll("thing 3", wrong, force=True).change
    [misfit] = gallery.class_health(fpir=0.1).misfits
    assert (misfit.name, misfit.nearest) == ("thing 3", "thing 7")
    assert (misfit.what, misfit.number) == (str(wrong), change)  # type: ignore[attr-defined]
    gallery.reject(wrong, "thing 3")
    assert gallery.class_health(fpir=0.1).misfits == ()


def test_health_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="knows no class yet"):
        Gallery.create(tmp_path / "gallery", FakeEncoder()).class_health()
