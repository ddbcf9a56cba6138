import csv
import json

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from nearkin.cli.commands.calibrate import calibrate
from nearkin.cli.commands.verify import verify
from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.errors import InvalidInput, SourceError


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """16 classes with 3 pictures each, and a file of pairs."""
    root = tmp_path_factory.mktemp("faces")
    generator = np.random.default_rng(0)
    for number in range(16):
        pattern = generator.integers(40, 216, size=(8, 8, 3)).repeat(4, 0).repeat(4, 1)
        (root / f"p{number:02}").mkdir()
        for copy in range(3):
            pixels = (pattern + generator.integers(-20, 20, size=(32, 32, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(root / f"p{number:02}" / f"{copy}.png")
    (root / "pairs.csv").write_text("a,b,same\np00/0.png,p00/1.png,1\np00/0.png,p01/0.png,0\n")
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory, faces):
    torch.manual_seed(0)
    encoder = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=32, width=32))
    encoder.card = "# a model\n\n## Evaluation\n\nfigures\n"
    folder = encoder.save_pretrained(tmp_path_factory.mktemp("model"))
    with pytest.raises(InvalidInput, match="nearkin calibrate MODEL DATA"):
        run(verify, folder, faces / "p00/0.png", faces / "p00/1.png")
    result = run(calibrate, folder, faces, "--plot", folder.parent / "plot.svg")
    assert "true accept rate" in result.stdout
    assert "different comparisons: 1,080" in result.stdout
    return folder


def run(command, *arguments):
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_calibrate_keeps_thresholds_with_the_model(model):
    calibration = Encoder.from_pretrained(model).checked_calibration()
    assert calibration.fars == (0.1, 0.01)
    card = (model / "README.md").read_text()
    assert card.index("## Evaluation") < card.index("## Thresholds")
    assert "| 0.1 |" in card
    assert (model.parent / "plot.svg").read_text().startswith("<svg")


def test_calibrate_again_replaces_and_out_writes_elsewhere(model, faces, tmp_path):
    before = (model / "README.md").read_text()
    values = json.loads(run(calibrate, model, faces, "--prior", "0.2", "--out", tmp_path / "copy", "--json").stdout)
    assert values["prior"] == 0.2
    assert Encoder.from_pretrained(tmp_path / "copy").calibration.prior == 0.2
    assert (model / "README.md").read_text() == before
    assert (tmp_path / "copy" / "README.md").read_text().count("## Thresholds") == 1


def test_two_pictures(model, faces):
    shown = run(verify, model, faces / "p00/0.png", faces / "p00/1.png", "--far", "0.1").stdout
    assert shown.startswith(("same: score", "not sure: score"))
    for words in ("threshold", "euclidean", "cosine", "% that they are the same, if 50 %", "score this or more"):
        assert words in shown
    values = json.loads(run(verify, model, faces / "p00/0.png", faces / "p03/1.png", "--json").stdout)
    assert values["euclidean"] == pytest.approx((2 - 2 * values["score"]) ** 0.5)
    assert values["threshold"]["far"] == 0.01


def test_many_pairs(model, faces, tmp_path):
    result = run(verify, model, "--pairs", faces / "pairs.csv", "--out", tmp_path / "out.csv")
    assert "2 pairs at threshold" in result.stderr
    assert "1 of 1 same pairs" in result.stderr or "0 of 1 same pairs" in result.stderr
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["row"] for row in rows] == ["2", "3"]
    lines = run(verify, model, "--pairs", faces / "pairs.csv", "--json").stdout.splitlines()
    assert [json.loads(line)["b"] for line in lines] == ["p00/1.png", "p01/0.png"]
    assert run(verify, model, "--pairs", faces / "pairs.csv").stdout.splitlines()[0].startswith("row,a,b,decision")


def test_bad_input(model, faces, tmp_path):
    with pytest.raises(InvalidInput, match="1 picture given: expected two"):
        run(verify, model, faces / "p00/0.png")
    with pytest.raises(InvalidInput, match="2 pictures and --pairs given"):
        run(verify, model, "a", "b", "--pairs", faces / "pairs.csv")
    with pytest.raises(InvalidInput, match="--out is for many pairs"):
        run(verify, model, "a", "b", "--out", tmp_path / "x.csv")
    with pytest.raises(InvalidInput, match=r"far 0\.001 needs at least 10,000 comparisons"):
        run(verify, model, faces / "p00/0.png", faces / "p00/1.png", "--far", "0.001")
    with pytest.raises(InvalidInput, match="no folder here"):
        run(calibrate, "owner/name", faces)
    (tmp_path / "bad.csv").write_text("a,b\nmissing.png,missing.png\n")
    with pytest.raises(SourceError, match="row 2: no picture"):
        run(verify, model, "--pairs", tmp_path / "bad.csv", "--out", tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()
    assert not (tmp_path / "none.csv.part").exists()
