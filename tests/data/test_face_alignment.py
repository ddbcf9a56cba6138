"""Faces turned upright by five landmarks."""

import logging
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nearkin.data.box import Box
from nearkin.data.face_alignment import POINTS, aligned_face, aligned_png, landmarks
from nearkin.data.preprocessing import Preprocessing
from tests.drawn_faces import GREEN, drawn_face, group_photo, needs


@pytest.fixture(autouse=True)
def _installed() -> None:
    needs("mtcnn")
    needs("dlib-hog")


def test_the_points_are_the_eyes_and_the_nose() -> None:
    found = dict(zip(POINTS, landmarks(drawn_face(200), Box(45, 50, 110, 110)), strict=True))
    assert abs(found["left_eye_outer"] - (0.36 * 200 - 15, 0.44 * 200)).max() < 14
    assert abs(found["right_eye_outer"] - (0.64 * 200 + 15, 0.44 * 200)).max() < 14
    assert found["left_eye_outer"][0] < found["left_eye_inner"][0] < found["right_eye_inner"][0]
    assert abs(found["nose"] - (100, 0.63 * 200)).max() < 14


def test_a_turned_face_comes_upright() -> None:
    face = drawn_face(240)
    upright = aligned_face(face, 150).astype(float)
    turned = face.rotate(15, Image.Resampling.BICUBIC, fillcolor=GREEN)
    inner = (slice(40, 120), slice(35, 115))
    apart = np.abs(aligned_face(turned, 150).astype(float) - upright)[inner].mean()
    assert apart < 0.5 * np.abs(np.asarray(turned.resize((150, 150)), float) - upright)[inner].mean()


def test_a_region_takes_what_is_around_it_from_the_photo() -> None:
    photo = group_photo((0, 120, 40, 90), (3, 100, 250, 60))
    of_photo = aligned_face(photo, 150, (62, 121, 137, 196))
    alone = aligned_face(drawn_face(120), 150)
    assert np.abs(of_photo.astype(float) - alone).mean() < 12


def test_at_the_edge_of_the_photo_the_edge_goes_on() -> None:
    face = aligned_face(drawn_face(120).crop((20, 25, 100, 110)), 150, (4, 8, 76, 80))
    assert face.shape == (150, 150, 3)
    assert (face.reshape(-1, 3).max(axis=1) > 20).mean() > 0.95


def test_without_a_face_the_whole_picture_is_taken_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    from nearkin.data import face_alignment

    face_alignment._said.clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert aligned_face(Image.new("L", (60, 40), 90), 150).shape == (150, 150, 3)
    assert caplog.text.count("no face was found in a picture of 60 x 40 pixels") == 1


def test_an_aligned_face_is_not_turned_again() -> None:
    pixels = Preprocessing(height=150, width=150, fit="face")
    face = pixels.apply(drawn_face(200))
    again = Image.open(BytesIO(aligned_png(face)))
    np.testing.assert_array_equal(pixels.apply(again), face)
