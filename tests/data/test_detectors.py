"""Face detectors: every one of them, on drawn faces."""

import numpy as np
import pytest
from PIL import Image

from nearkin.data.detectors import DEFAULT, DETECTORS
from nearkin.data.detectors._detector import suppressed
from nearkin.data.face_finder import find_faces
from nearkin.errors import MissingDependency, UnknownName
from tests.drawn_faces import group_photo, needs

PHOTO = ((0, 120, 40, 90), (0, 80, 250, 60), (0, 50, 400, 180))


@pytest.fixture(params=["mtcnn", "dlib-hog"])
def detector(request: pytest.FixtureRequest) -> str:
    needs(request.param)
    return str(request.param)


@pytest.mark.parametrize("detector", DETECTORS)
def test_faces_are_found_where_they_are(detector: str) -> None:
    needs(detector)
    faces = find_faces(group_photo(*PHOTO), detector)
    assert len(faces) == 3
    for face, (_, side, left, top) in zip(faces, PHOTO, strict=True):
        # From the brows to the chin, in the middle of the drawn head.
        assert abs(face.box.x + face.box.width / 2 - left - side / 2) < 0.15 * side
        assert abs(face.box.y + face.box.height / 2 - top - 0.57 * side) < 0.15 * side
        assert 0.45 * side < face.box.width == face.box.height < 0.95 * side
        assert 0.5 < face.confidence <= 1


def test_the_largest_face_is_the_first_and_may_be_all(detector: str) -> None:
    photo = group_photo(*PHOTO)
    assert find_faces(photo, detector, largest=True) == find_faces(photo, detector)[:1]


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (15, 15), (300, 200)])
def test_a_picture_without_a_face_has_none(detector: str, size: tuple[int, int]) -> None:
    assert find_faces(Image.new("RGB", size, "white"), detector) == []


def test_a_large_photo_is_shrunk_and_its_boxes_are_its_own(detector: str) -> None:
    small = group_photo((0, 120, 40, 90), (0, 80, 250, 60))
    large = small.resize((4000, 2400), Image.Resampling.BICUBIC)
    [expected, *_] = find_faces(small, detector)
    [found, *_] = find_faces(large, detector)
    np.testing.assert_allclose(found.box.numbers, np.multiply(expected.box.numbers, 8), atol=100)


def test_grey_photos_have_faces_too(detector: str) -> None:
    assert len(find_faces(group_photo(*PHOTO).convert("L"), detector)) == 3


def test_two_hundred_faces() -> None:
    needs(DEFAULT)
    places = [(0, 60, 64 * column, 64 * row) for row in range(10) for column in range(20)]
    assert len(find_faces(group_photo(*places, size=(1280, 640)), DEFAULT)) == 200


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = DETECTORS["dlib-hog"]
    monkeypatch.setattr("nearkin.data.detectors._detector.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"needs the package 'dlib-bin': pip install 'nearkin\[faces\]'"):
        detector.check()
    with pytest.raises(UnknownName, match="unknown face detector 'mtcn': did you mean mtcnn"):
        DETECTORS["mtcn"]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_says_what_it_is(name: str) -> None:
    detector = DETECTORS[name]
    assert detector.summary
    assert detector.licence
    assert detector.smallest > 0


def test_the_best_of_boxes_that_overlap_is_kept() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [22, 2, 28, 8]], float)
    scores = np.array([0.6, 0.9, 0.5, 0.4])
    assert suppressed(boxes, scores, 0.5) == [1, 2, 3]
    assert suppressed(boxes, scores, 0.5, of_smaller=True) == [1, 2]
    assert suppressed(boxes[:0], scores[:0], 0.5) == []
