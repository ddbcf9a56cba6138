import json

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from nearkin.cli.commands.evaluate import CLASS, evaluate
from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.errors import ArtefactError, InvalidInput, PictureError, SourceError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    encoder = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=32, width=32))
    return encoder.save_pretrained(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        for number in range(3):
            pixels = generator.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    (folder / "dog" / "broken.png").write_bytes(b"")
    return folder


def run(*arguments):
    app = typer.Typer()
    app.command(cls=CLASS)(evaluate)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_table_on_screen(model, data):
    result = run(model, data)
    for shown in ("recall@1", "map@r", "interval", "raw pixels", "chance", "pictures: 6", "few classes (2)"):
        assert shown in result.stdout
    assert "broken.png" in result.stderr


def test_json(model, data):
    values = json.loads(run(model, data, "--json", "--seed", "3").stdout)
    assert values["counts"]["pictures"] == 6
    assert values["baselines"]["chance"]["retrieval"]["recall@1"]["value"] == 0.4
    assert values["skipped"][0]["uri"].endswith("broken.png")


def test_without_baselines(model, data):
    assert json.loads(run(model, data, "--json", "--no-baselines").stdout)["baselines"] == {}


def test_bad_input(model, data, tmp_path):
    with pytest.raises(ArtefactError):
        run(tmp_path / "nothing", data)
    with pytest.raises(SourceError, match="no pictures of split 'val'"):
        run(model, data, "--split", "val")
    with pytest.raises(PictureError, match=r"broken\.png"):
        run(model, data, "--strict")
    with pytest.raises(InvalidInput, match=f"'{model}' is a model, and '{data}' is none: MODEL comes first, then DATA"):
        run(data, model)
    with pytest.raises(InvalidInput, match="is a model, no pictures: DATA comes after MODEL"):
        run(model, model.parent / "." / model.name / ".." / model.name)
