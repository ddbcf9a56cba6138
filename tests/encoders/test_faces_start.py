"""The start `faces`: dlib's network in torch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nearkin.encoders.encoder import Encoder
from nearkin.encoders.starts import STARTS
from nearkin.encoders.starts._dlib_file import read_tensors
from nearkin.encoders.starts.faces import WEIGHTS
from nearkin.errors import ArtefactError
from tests.drawn_faces import drawn_face, needs


@pytest.fixture
def encoder() -> Encoder:
    needs("mtcnn")
    needs("dlib-hog")
    return Encoder.from_pretrained("faces")


def test_it_computes_what_dlib_computes(encoder: Encoder) -> None:
    import dlib

    theirs = dlib.face_recognition_model_v1(str(WEIGHTS.find()))
    chips = np.random.default_rng(0).integers(0, 256, (3, 150, 150, 3), dtype=np.uint8)
    chips[0] = encoder.preprocessing.apply(drawn_face(200))
    expected = np.array([theirs.compute_face_descriptor(chip) for chip in chips])
    tower = encoder.image
    with torch.inference_mode():
        pictures = encoder.normalise(torch.from_numpy(chips).permute(0, 3, 1, 2).float() / 255)
        tower.backbone.views = 1  # type: ignore[assignment]
        found = tower(pictures) - tower.projection.bias
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_a_face_and_its_mirror_image_are_one(encoder: Encoder) -> None:
    chip = encoder.preprocessing.apply(drawn_face(200, seed=2))
    one, mirrored = encoder.embed_pixels(np.stack([chip, chip[:, ::-1]]))
    np.testing.assert_allclose(one, mirrored, atol=1e-5)


def test_it_is_saved_and_read_as_any_model(encoder: Encoder, tmp_path: Path) -> None:
    pictures = [drawn_face(150, seed) for seed in range(3)]
    vectors = encoder.embed_images(pictures)
    assert vectors.shape == (3, 128)
    encoder.save_pretrained(tmp_path)
    again = Encoder.from_pretrained(tmp_path)
    assert again.fingerprint == encoder.fingerprint
    assert again.preprocessing.fit == "face"
    np.testing.assert_array_equal(again.embed_images(pictures), vectors)


def test_only_the_file_of_five_points_is_used() -> None:
    start = STARTS["faces"]
    assert {Path(file.path).name for file in start.files} == {
        "dlib_face_recognition_resnet_model_v1.dat",
        "shape_predictor_5_face_landmarks.dat",
    }


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.dat").write_bytes(b"\1\2" * 100)
    with pytest.raises(ArtefactError, match="has no tensor of"):
        read_tensors(tmp_path / "weights.dat", [(4736, 1)])
