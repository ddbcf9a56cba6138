"""Models of other libraries: small ones of the same classes, randomly initialised and written here; no hub is asked."""

import json
import socket
import string
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from nearkin.encoders.embedder import Embedder
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.hubs import LIBRARIES, _answering, foreign_model
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.model_folder import check_model
from nearkin.errors import ArtefactError, InvalidInput, MissingDependency, UnknownName
from nearkin.gallery.gallery import Gallery

transformers = pytest.importorskip("transformers")
open_clip = pytest.importorskip("open_clip")

VISION = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4}
VISION |= {"image_size": 32, "patch_size": 8}
TEXT = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4}
TEXT |= {"max_position_embeddings": 16, "vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens here."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")


def write_tokenizer(folder: Path) -> None:
    """One token for each letter."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = {token: number for number, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", *string.ascii_lowercase])}
    tokenizer = Tokenizer(models.WordLevel(letters, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    fast.save_pretrained(folder)


def write_transformers(folder: Path, kind: str) -> Path:
    torch.manual_seed(0)
    size = {"height": 32, "width": 32}
    if kind == "clip":
        config = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)
        model, processor = transformers.CLIPModel(config), transformers.CLIPImageProcessor(size=size, crop_size=size)
    elif kind == "siglip":
        config = transformers.SiglipConfig(text_config=TEXT, vision_config=VISION)
        model, processor = transformers.SiglipModel(config), transformers.SiglipImageProcessor(size=size)
    else:
        model = transformers.ViTModel(transformers.ViTConfig(**VISION))
        processor = transformers.ViTImageProcessor(size=size)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    if kind != "vit":
        write_tokenizer(folder)
    return folder


@pytest.mark.parametrize("kind", ["clip", "siglip", "vit"])
def test_transformers_by_folder(kind: str, tmp_path: Path, shapes: Path) -> None:
    folder = write_transformers(tmp_path / "model", kind)
    encoder = Encoder.from_pretrained(folder)
    assert isinstance(encoder, Embedder)
    assert encoder.has_text == (kind != "vit")
    assert encoder.preprocessing.height == 32
    pictures = sorted((shapes / "tree" / "red circle").iterdir())
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    gallery.add(shapes / "tree" / "red circle")
    opened = Gallery.open(tmp_path / "gallery")
    assert opened.search(pictures[2], k=1)[0].score > 0.999
    # The weights stay in their folder.
    assert sum(file.stat().st_size for file in (tmp_path / "gallery").rglob("model.safetensors")) < 1000
    if kind == "vit":
        with pytest.raises(InvalidInput, match="embeds pictures only"):
            opened.search("red")
        return
    assert len(opened.search("a red circle", k=3)) == 3
    vectors = encoder.embed_texts(["red", "blue", "red"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[2], rtol=1e-5)
    assert not np.allclose(vectors[0], vectors[1])


def test_clip_of_transformers_as_transformers_itself_computes_it(tmp_path: Path, shapes: Path) -> None:
    folder = write_transformers(tmp_path / "model", "clip")
    encoder = Encoder.from_pretrained(f"transformers:{folder}")
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    path = next((shapes / "tree" / "blue square").iterdir())
    pixels = encoder.preprocessing.apply(__import__("PIL.Image").Image.open(path))
    normalised = (pixels / 255 - np.array(encoder.preprocessing.mean)) / np.array(encoder.preprocessing.std)
    with torch.no_grad():
        given = torch.from_numpy(normalised).permute(2, 0, 1)[None].float()
        found = model.get_image_features(pixel_values=given)
    found = found if isinstance(found, torch.Tensor) else found.pooler_output
    expected = torch.nn.functional.normalize(found, dim=1)
    np.testing.assert_allclose(encoder.embed_images([path]), expected, atol=1e-5)


def test_changed_weights_are_told(tmp_path: Path) -> None:
    folder = write_transformers(tmp_path / "model", "vit")
    saved = Encoder.from_pretrained(folder).save_pretrained(tmp_path / "saved")
    assert Encoder.from_pretrained(saved).fingerprint == json.loads((saved / "config.json").read_text())["fingerprint"]
    model = transformers.ViTModel.from_pretrained(folder)
    with torch.no_grad():
        model.layernorm.weight.add_(1)
    model.save_pretrained(folder)
    with pytest.raises(ArtefactError, match="that model is now"):
        Encoder.from_pretrained(saved)


def test_open_clip_by_a_file(tmp_path: Path, shapes: Path) -> None:
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    (tmp_path / "tiny-for-tests.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-for-tests.json")
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-for-tests").eval()
    torch.save(model.state_dict(), tmp_path / "tiny.pt")
    encoder = Encoder.from_pretrained(f"open_clip:tiny-for-tests/{tmp_path / 'tiny.pt'}")
    assert encoder.dim == 16
    tokens = open_clip.get_tokenizer("tiny-for-tests")(["a red circle"])
    with torch.no_grad():
        expected = model.encode_text(tokens, normalize=True)
    np.testing.assert_allclose(encoder.embed_texts("a red circle"), expected, atol=1e-5)
    gallery = Gallery.create(tmp_path / "gallery", encoder)
    gallery.add(shapes / "tree" / "red circle")
    assert len(Gallery.open(tmp_path / "gallery").search("a red circle", k=2)) == 2
    with pytest.raises(InvalidInput, match=r"names no weights: expected open_clip:ViT-B-32/TAG: openai"):
        Encoder.from_pretrained("open_clip:ViT-B-32")


def test_timm_by_a_file(tmp_path: Path, shapes: Path) -> None:
    import timm

    network = timm.create_model("resnet10t", num_classes=0)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    encoder = Encoder.from_pretrained(f"timm:resnet10t:{tmp_path / 'weights.pth'}")
    assert encoder.dim == 512
    assert encoder.preprocessing.mean == tuple(network.pretrained_cfg["mean"])
    picture = next((shapes / "tree" / "red circle").iterdir())
    again = Encoder.from_pretrained(encoder.save_pretrained(tmp_path / "saved"))
    np.testing.assert_array_equal(again.embed_images([picture]), encoder.embed_images([picture]))


@pytest.mark.parametrize(
    "name", ["timm:resnet10t", "open_clip:ViT-B-32/laion2b_s34b_b79k", "transformers:owner/model", "owner/model"]
)
def test_a_hub_that_does_not_answer_is_told_in_seconds(name: str, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ArtefactError, match=r"does not answer|Hugging Face Hub"):
        Encoder.from_pretrained(name)
    assert time.monotonic() - begun < 30


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, library in LIBRARIES.items():
        assert library.name.replace("_", "-") == name
    assert foreign_model("a:b") is None
    with pytest.raises(UnknownName, match="unknown network of timm 'resnet81'"):
        Encoder.from_pretrained("timm:resnet81")
    with pytest.raises(InvalidInput, match=r"'timm:' names no model: expected .*timm:resnet50"):
        check_model("timm:")
    monkeypatch.setattr("nearkin.encoders.hubs.find_spec", lambda module: None)
    with pytest.raises(MissingDependency, match=r"needs the package 'open_clip_torch': pip install 'nearkin\[clip\]'"):
        check_model("open_clip:ViT-B-32/openai")


def test_whether_a_hub_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(_answering, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not _answering._answers(f"http://127.0.0.1:{silent.getsockname()[1]}")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # It knows no HEAD, and says so.
        assert _answering._answers(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert not _answering._answers("http://127.0.0.1:9")
    # A proxy that is not there is no way out.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert not _answering._answers("https://no-such-host.invalid")
    monkeypatch.delenv("https_proxy")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    assert _answering._answers("https://no-such-host.invalid")


def test_pretrained_weights_of_a_silent_hub_are_told_in_seconds() -> None:
    begun = time.monotonic()
    with pytest.raises(ArtefactError, match=r"model 'timm:resnet10t' cannot be loaded: .* does not answer"):
        ImageTower(ImageTowerConfig("resnet10t", dim=4), "pretrained")
    assert time.monotonic() - begun < 30
