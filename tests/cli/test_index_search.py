import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import torch
import typer
from click.testing import Result
from typer.testing import CliRunner

from nearkin.cli.commands.index import index
from nearkin.cli.commands.search import search
from nearkin.data.captions import train_tokenizer
from nearkin.data.decoding import decode
from nearkin.data.images import Preprocessing
from nearkin.data.items import Items, Picture
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.texts._recurrent import TextTower, TextTowerConfig
from nearkin.errors import EncoderMismatch, InvalidInput, SourceError
from nearkin.gallery.gallery import Gallery
from tests.fakes import draw_noise


def make_encoder(seed: int) -> Encoder:
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(["red heart", "красное сердце"])
    text = TextTower(TextTowerConfig(tokenizer.get_vocab_size(), dim=8, width=16))
    return Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=64, width=64), text, tokenizer)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_encoder(0).save_pretrained(tmp_path / "model")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for label in ("cat", "dog"):
        draw_noise(tmp_path / "data" / label, range(3) if label == "cat" else range(3, 5))
    (tmp_path / "data" / "dog" / "broken.png").write_bytes(b"")
    return tmp_path / "data"


def run(command: Callable[..., None], *arguments: object) -> Result:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_index_makes_a_gallery_then_adds_to_it(model: Path, data: Path, tmp_path: Path) -> None:
    first = run(index, model, data, tmp_path / "gallery")
    assert "5 items; 5 added, 0 replaced, 0 updated, 0 unchanged, 1 skipped" in first.stdout
    assert "broken.png" in first.stderr
    draw_noise(data / "dog", [77])
    second = json.loads(run(index, model, data, tmp_path / "gallery", "--json").stdout)
    assert (second["items"], second["added"], second["unchanged"]) == (6, 1, 5)
    assert second["skipped"][0]["uri"].endswith("broken.png")


def test_index_reads_the_columns_it_is_told(model: Path, data: Path, tmp_path: Path) -> None:
    table = tmp_path / "shop.csv"
    table.write_text("file,product,title,name\ndata/cat/0.png,mug,a mug,кружка\n", encoding="utf-8")
    run(
        index,
        model,
        table,
        tmp_path / "gallery",
        "--label",
        "product",
        "--caption-column",
        "title",
        "--caption-column",
        "name",
    )
    (hit,) = Gallery.open(tmp_path / "gallery").search(data / "cat" / "0.png")
    assert (hit.label, hit.captions) == ("mug", ("a mug", "кружка"))


def test_a_slip_in_the_source_leaves_no_gallery(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="dada"):
        run(index, model, tmp_path / "dada", tmp_path / "gallery")
    assert not (tmp_path / "gallery").exists()


def test_another_model_is_refused(model: Path, data: Path, tmp_path: Path) -> None:
    run(index, model, data, tmp_path / "gallery")
    other = make_encoder(1).save_pretrained(tmp_path / "other")
    with pytest.raises(EncoderMismatch, match="nearkin reindex"):
        run(index, other, data, tmp_path / "gallery")


def test_search_by_picture_and_words(model: Path, data: Path, tmp_path: Path) -> None:
    run(index, model, data, tmp_path / "gallery")
    query = data / "cat" / "1.png"
    answers = json.loads(run(search, tmp_path / "gallery", query, "красное сердце", "-k", 2, "--json").stdout)
    assert [answer["query"] for answer in answers] == [str(query), "красное сердце"]
    assert [len(answer["hits"]) for answer in answers] == [2, 2]
    best = answers[0]["hits"][0]
    assert (best["uri"], best["label"], best["captions"]) == (str(query), "cat", [])
    assert best["score"] == pytest.approx(1, abs=1e-5)
    sheet = tmp_path / "sheet.png"
    shown = run(search, tmp_path / "gallery", query, "[red] heart", "--sheet", sheet)
    first, *_ = shown.stdout.splitlines()
    assert first.split("\t")[:3] == [str(query), "1", "1.0000"]
    assert first.split("\t")[4:] == [str(query), "cat", ""]
    assert "[red] heart\t1\t" in shown.stdout
    assert "sheet.png" in shown.stderr
    assert decode(sheet).width > decode(sheet).height


def test_dates_in_json(model: Path, data: Path, tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "gallery", Encoder.from_pretrained(model))
    picture = data / "cat" / "0.png"
    gallery.add(Items.build([Picture(str(picture))], metadata={"day": [date(2024, 5, 1)]}))
    (answer,) = json.loads(run(search, tmp_path / "gallery", picture, "--json").stdout)
    assert answer["hits"][0]["metadata"] == {"day": "2024-05-01"}


def test_bad_queries(model: Path, data: Path, tmp_path: Path) -> None:
    run(index, model, data, tmp_path / "gallery")
    with pytest.raises(InvalidInput, match=r"no such file: 'missing\.png'"):
        run(search, tmp_path / "gallery", "missing.png")
    with pytest.raises(InvalidInput, match="k is 0"):
        run(search, tmp_path / "gallery", "heart", "-k", 0)
    assert run(search, tmp_path / "gallery").exit_code == 2
