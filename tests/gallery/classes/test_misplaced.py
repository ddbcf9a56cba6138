"""The review compares an example with its class and with others."""

from pathlib import Path

import numpy as np
import pytest

from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder
from tests.gallery.classes.drawn import draw_view, draw_views


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    summary = gallery.enroll_many(draw_views(tmp_path / "things", range(12), range(3)))
    assert summary.refused == ()
    return gallery


def test_an_example_of_another_class(gallery: Gallery, tmp_path: Path) -> None:
    picture = draw_view(tmp_path / "wrong.png", 7, 9)
    [refused] = gallery.enroll("thing 3", picture).refused
    assert (refused.reason, refused.detail) == ("nearer to another class", "nearer to 'thing 7' than to 'thing 3'")
    assert len(gallery.enroll("thing 7", picture).taken) == 1
    assert len(gallery.enroll("thing 3", draw_view(tmp_path / "other.png", 7, 8), force=True).taken) == 1


def test_an_example_of_nothing_known(gallery: Gallery, tmp_path: Path) -> None:
    [refused] = gallery.enroll("thing 3", draw_view(tmp_path / "far.png", 99)).refused
    assert refused.reason in ("far from its class", "nearer to another class")
    assert gallery.enroll("something new", tmp_path / "far.png").refused == ()


def test_one_of_several_that_does_not_belong(gallery: Gallery, tmp_path: Path) -> None:
    pictures = [draw_view(tmp_path / f"{view}.png", 50, view) for view in range(4)]
    summary = gallery.enroll("new", [*pictures, draw_view(tmp_path / "wrong.png", 5, 7)])
    assert [taken.what for taken in summary.taken] == [str(path) for path in pictures]
    assert [Path(refused.what).name for refused in summary.refused] == ["wrong.png"]


def test_where_all_contradict_each_other_the_first_counts(gallery: Gallery, tmp_path: Path) -> None:
    one, other = draw_view(tmp_path / "one.png", 5, 7), draw_view(tmp_path / "other.png", 8, 7)
    summary = gallery.enroll("new", [one, other])
    assert [taken.what for taken in summary.taken] == [str(one)]


def test_with_few_classes_an_example_must_be_as_far_as_other_pictures(tmp_path: Path) -> None:
    views = [draw_view(tmp_path / f"{view}.png", 7, view, spread=60) for view in range(4)]
    other = draw_view(tmp_path / "other.png", 8)
    gallery = Gallery.create(tmp_path / "alone", FakeEncoder())
    # There is nothing to compare with.
    assert gallery.enroll("thing 7", [*views, other]).refused == ()
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    for picture in draw_views(tmp_path / "items", range(100, 160), range(1)).values():
        gallery.add(picture)
    summary = gallery.enroll("thing 7", [*views, other])
    assert len(summary.taken) >= 4
    assert {Path(one.what).name for one in summary.refused} <= {"other.png"}


def test_words_are_not_compared(gallery: Gallery) -> None:
    assert gallery.enroll("thing 3", texts="red").refused == ()


def test_few_that_are_right_are_refused(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    summary = gallery.enroll_many(draw_views(tmp_path / "things", range(100, 200), range(4)))
    assert len(summary.refused) <= 4


def test_most_that_are_wrong_are_refused(gallery: Gallery, tmp_path: Path) -> None:
    wrong = {f"thing {n}": draw_view(tmp_path / f"{n}.png", (n + 1) % 12, 5) for n in range(12)}
    refused = gallery.enroll_many(wrong).refused
    assert np.mean([one.reason == "nearer to another class" for one in refused]) > 0.8
    assert len(refused) >= 8
