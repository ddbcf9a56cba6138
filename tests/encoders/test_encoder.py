"""Encoder: pictures of every kind, texts, saving and loading, fingerprints, damage."""

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nearkin.data.captions import train_tokenizer
from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.texts._recurrent import TextTower, TextTowerConfig
from nearkin.encoders.training_hashes import TrainingHashes, hash_names
from nearkin.errors import ArtefactError, InvalidInput, PictureError


def make_encoder(*, text: bool = False, seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    image = ImageTower(ImageTowerConfig("conv4", dim=16, height=32, width=32))
    preprocessing = Preprocessing(height=32, width=32)
    if not text:
        return Encoder(image, preprocessing).eval()
    tokenizer = train_tokenizer(["a red square", "красный квадрат"])
    tower = TextTower(TextTowerConfig(tokenizer.get_vocab_size(), dim=16, width=8))
    return Encoder(image, preprocessing, tower, tokenizer).eval()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def test_every_kind_of_picture_gives_the_same_vector(tmp_path: Path, pixels: np.ndarray) -> None:
    encoder, array = make_encoder(), pixels[0]
    image = Image.fromarray(array)
    path = tmp_path / "picture.png"
    image.save(path)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    expected = encoder.embed_images(path)
    assert expected.shape == (1, 16)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(expected), 1, rtol=1e-6)
    for picture in (str(path), [path], image, array, [array], tensor, tensor.float() / 255, [tensor], array[None]):
        np.testing.assert_allclose(encoder.embed_images(picture), expected, atol=1e-6)


def test_batches_and_order_change_nothing(tmp_path: Path, pixels: np.ndarray) -> None:
    encoder = make_encoder()
    paths = []
    for number, array in enumerate(pixels):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(array).save(paths[-1])
    seen: list[tuple[int, int]] = []
    whole = encoder.embed_images(paths)
    by_two = encoder.embed_images(paths, batch_size=2, progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_allclose(whole, by_two, atol=1e-6)
    assert seen[-1] == (5, 5)
    mixed = encoder.embed_images([paths[0], pixels[1], Image.fromarray(pixels[2])])
    np.testing.assert_allclose(mixed, whole[:3], atol=1e-6)


def test_nothing_to_embed() -> None:
    encoder = make_encoder(text=True)
    assert encoder.embed_images([]).shape == (0, 16)
    assert encoder.embed_texts([]).shape == (0, 16)


def test_embedding_leaves_the_mode_and_the_norms_alone(pixels: np.ndarray) -> None:
    encoder = make_encoder().train()
    before = encoder.fingerprint
    encoder.embed_pixels(pixels)
    assert encoder.training
    assert encoder.fingerprint == before


def test_bad_pictures_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("no picture")
    encoder = make_encoder()
    with pytest.raises(PictureError, match=r"broken\.jpg"):
        encoder.embed_images(tmp_path / "broken.jpg")
    with pytest.raises(PictureError, match=r"missing\.jpg"):
        encoder.embed_images([tmp_path / "missing.jpg"])
    with pytest.raises(PictureError, match="floats outside"):
        encoder.embed_images(torch.full((3, 8, 8), 200.0))


def test_texts_in_two_languages() -> None:
    encoder = make_encoder(text=True)
    vectors = encoder.embed_texts(["red square", "красный квадрат", "КРАСНЫЙ КВАДРАТ"])
    np.testing.assert_allclose(vectors[1], vectors[2])
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(encoder.embed_texts("red square"), vectors[:1], atol=1e-6)


@pytest.mark.parametrize(("texts", "message"), [(["red", ""], "text 1 is ''"), ("  ", "text 0 is")])
def test_texts_must_hold_words(texts: list[str] | str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_encoder(text=True).embed_texts(texts)


def test_image_only_encoder_says_so() -> None:
    with pytest.raises(InvalidInput, match="embeds pictures only"):
        make_encoder().embed_texts("red")


@pytest.mark.parametrize("text", [False, True])
def test_saved_and_loaded_is_the_same(tmp_path: Path, pixels: np.ndarray, text: bool) -> None:
    encoder = make_encoder(text=text)
    encoder.card = "# Card\n"
    encoder.save_pretrained(tmp_path / "run" / "model")
    for path in (tmp_path / "run" / "model", tmp_path / "run"):
        loaded = Encoder.from_pretrained(path)
        assert loaded.fingerprint == encoder.fingerprint
        assert loaded.card == "# Card\n"
        np.testing.assert_array_equal(loaded.embed_pixels(pixels), encoder.embed_pixels(pixels))
        if text:
            np.testing.assert_array_equal(loaded.embed_texts("red"), encoder.embed_texts("red"))
    files = {path.name for path in (tmp_path / "run" / "model").iterdir()}
    assert files == {"model.safetensors", "config.json", "README.md"} | ({"tokenizer.json"} if text else set())


def test_fingerprint_tells_weights_and_preprocessing_apart() -> None:
    encoder = make_encoder()
    assert encoder.fingerprint == make_encoder().fingerprint
    assert encoder.fingerprint.startswith("conv4-")
    others = [make_encoder(seed=1), make_encoder(text=True)]
    others.append(Encoder(encoder.image, Preprocessing(height=32, width=32, fit="pad")))
    with torch.no_grad():
        changed = make_encoder()
        changed.image.projection.bias[0] += 1e-3
    assert len({encoder.fingerprint, changed.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_fingerprint_follows_the_weights() -> None:
    def change_in_place(encoder: Encoder) -> None:
        with torch.no_grad():
            encoder.image.projection.bias[0] += 1e-3

    def change_behind_autograd(encoder: Encoder) -> None:
        encoder.image.projection.bias = torch.nn.Parameter(encoder.image.projection.bias + 1e-3)

    def step(encoder: Encoder) -> None:
        encoder.train()
        encoder.image.projection.bias.grad = torch.ones(16)
        torch.optim.SGD(encoder.parameters(), lr=1e-3).step()
        encoder.eval()

    def load(encoder: Encoder) -> None:
        encoder.load_state_dict(make_encoder(seed=1).state_dict())

    before = make_encoder().fingerprint
    after = []
    for change in (change_in_place, change_behind_autograd, step, load, Encoder.half):
        encoder = make_encoder()
        assert encoder.fingerprint == before
        change(encoder)
        after.append(encoder.fingerprint)
        # Hashed from nothing, it is the same.
        assert encoder.fingerprint == encoder._hash()
    assert before not in after
    assert after[3] == make_encoder(seed=1).fingerprint


def test_fingerprint_of_a_deep_copy_is_its_own() -> None:
    encoder = make_encoder(text=True)
    before = encoder.fingerprint
    twin = deepcopy(encoder)
    assert twin.fingerprint == before
    with torch.no_grad():
        twin.image.projection.bias[0] += 1e-3
    assert twin.fingerprint != before
    assert encoder.fingerprint == before


@pytest.mark.parametrize(("text", "embeds"), [(False, "pictures"), (True, "pictures and texts")])
def test_shown_as_one_line(text: bool, embeds: str) -> None:
    encoder = make_encoder(text=text)
    shown = f"Encoder({encoder.fingerprint}: {embeds} to 16 dimensions, pictures of 32 x 32 pixels)"
    assert repr(encoder) == shown


def test_damaged_artefacts(tmp_path: Path) -> None:
    folder = make_encoder(text=True).save_pretrained(tmp_path / "model")
    with pytest.raises(ArtefactError, match="no model at"):
        Encoder.from_pretrained(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtefactError, match="holds no model"):
        Encoder.from_pretrained(tmp_path / "empty")
    config = json.loads((folder / "config.json").read_text())

    def saying(change: dict, message: str) -> None:
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(ArtefactError, match=message):
            Encoder.from_pretrained(folder)

    saying({"format": 99}, "has format 99.*update nearkin")
    saying({"image": {**config["image"], "dim": 17}}, "do not fit")
    saying({"image": {"nonsense": 1}}, "do not fit")
    (folder / "config.json").write_text("{")
    with pytest.raises(ArtefactError, match="is damaged"):
        Encoder.from_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ArtefactError, match="is damaged"):
        Encoder.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtefactError, match=r"model\.safetensors is missing"):
        Encoder.from_pretrained(folder)


def test_other_users_may_read_a_model_as_far_as_the_umask_says(tmp_path: Path) -> None:
    encoder = make_encoder(text=True)
    encoder.training_hashes = TrainingHashes(hash_names(["cat"]), hash_names(["a", "b"]), np.zeros((2, 8), np.uint8), 2)
    folder = encoder.save_pretrained(tmp_path / "model")
    (tmp_path / "usual").write_bytes(b"")
    files = sorted(folder.iterdir())
    assert "training.safetensors" in [file.name for file in files]
    assert {file.stat().st_mode for file in files} == {(tmp_path / "usual").stat().st_mode}


def test_what_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_encoder().save_pretrained(tmp_path / "model")
    opened = Path.open

    def refused(path: Path, *arguments: object, **options: object) -> object:
        if path.name == "model.safetensors":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ArtefactError, match=r"model\.safetensors' cannot be read: Permission denied"):
        Encoder.from_pretrained(folder)
