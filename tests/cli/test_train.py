"""`nearkin train`: settings from options and files, JSON, resume, and one line for a mistake."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from nearkin.cli import main
from nearkin.encoders.encoder import Encoder

FAST = ["--backbone", "conv4", "--dim", "8", "--epochs", "1", "--batch-size", "16", "--threads", "1"]


def run(*arguments: object) -> int:
    """The exit code of one command."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def test_train_prints_figures_beside_baselines(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x"
    options = ["--loss", "contrastive", "--loss-option", "margin=0.7", "--augmentation", "drawing"]
    assert run("train", shapes / "tree", "--out", out, *options, *FAST) == 0
    printed = capsys.readouterr()
    assert "recall@1" in printed.out
    assert "raw pixels" in printed.out
    assert "epoch   1" in printed.err
    assert str(out / "validation.csv") in printed.err
    settings = yaml.safe_load((out / "settings.yaml").read_text())
    assert (settings["loss"], settings["loss_options"], settings["augmentation"]) == (
        "contrastive",
        {"margin": 0.7},
        "drawing",
    )
    assert run("train", shapes / "tree", "--out", out, "--resume", "--json") == 0
    assert "retrieval" in json.loads(capsys.readouterr().out)["figures"]


def test_settings_file_and_options_that_win(shapes: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("backbone: conv4\nepochs: 1\nbatch_size: 16\ndim: 4\nthreads: 1\n")
    assert run("train", shapes / "tree", "--out", tmp_path / "x", "--settings", file, "--dim", "6") == 0
    settings = yaml.safe_load((tmp_path / "x" / "settings.yaml").read_text())
    assert (settings["dim"], settings["batch_size"]) == (6, 16)


def test_options_of_the_newer_kind(shapes: Path, tmp_path: Path) -> None:
    """Group batches, turned classes, weight averaging, views and width from the command line, all at once."""
    options = "--label path --batch-by group --rotate-classes --ema 0.99 --backbone resnet12 --backbone-option width=2"
    views = "--augmentation strokes --augmentation-option elastic=0.02 --size 32"
    command = [*FAST, *options.split(), *views.split()]
    assert run("train", shapes / "tree", "--out", tmp_path / "x", *command) == 0
    settings = yaml.safe_load((tmp_path / "x" / "settings.yaml").read_text())
    assert (settings["batch_by"], settings["rotate_classes"], settings["ema"]) == ("group", True, 0.99)
    assert (settings["backbone"], settings["backbone_options"]) == ("resnet12", {"width": 2})
    assert (settings["augmentation"], settings["augmentation_options"]) == ("strokes", {"elastic": 0.02})
    config = json.loads((tmp_path / "x" / "model" / "config.json").read_text())
    assert config["image"]["options"] == {"width": 2}
    assert Encoder.from_pretrained(tmp_path / "x").embed_images(np.zeros((9, 9, 3), np.uint8)).shape == (1, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backbone", "resnet81"], "unknown backbone 'resnet81': did you mean resnet18"),
        (["--loss", "arcfase"], "unknown loss 'arcfase'"),
        (["--loss-option", "margin"], "expected NAME=VALUE"),
        (["--loss-option", "margn=1"], "unknown option of loss 'triplet'"),
        (["--loss-option", "margin=-1.0"], "margin is -1.0"),
        (["--epochs", "0"], "setting epochs"),
        (["--augmentation", "foto"], "unknown augmentation 'foto'"),
        (["--split-by", "nothing"], "unknown column 'nothing'"),
        (["--settings", "nothing.yaml"], "settings file 'nothing.yaml' cannot be read: No such file"),
        (["--captions"], "no captions found"),
        (["--batch-by", "nothing"], "unknown column 'nothing'"),
        (["--backbone-option", "width"], "--backbone-option 'width': expected NAME=VALUE"),
        (["--backbone-option", "width=0"], "width is 0, expected a whole number above 0"),
        (["--augmentation-option", "blur=2"], "augmentation: blur is 2, expected 0 to 1"),
        (["--ema", "1"], "setting ema is 1.0: input should be less than 1"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert run("train", shapes / "tree", "--out", tmp_path / "x", *[*FAST, *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("nearkin: ")
    assert message in error
    assert not (tmp_path / "x" / "settings.yaml").exists()


def test_wrong_path_suggests_the_right_one(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", shapes / "tre", "--out", tmp_path / "x") == 2
    assert f"did you mean {shapes / 'tree'}" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("nearkin 0.")
