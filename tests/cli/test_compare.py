"""`nearkin compare`: names with commas and options, settings files, JSON, a stop, and one line for a mistake."""

import json
from pathlib import Path

import pytest
import yaml

from nearkin.cli import main
from nearkin.tasks.compare import run as comparison

FAST = ["--backbones", "conv4", "--size", "32", "--epochs", "1", "--batch-size", "16", "--threads", "1", "--folds", "3"]


def run(*arguments: object) -> int:
    """The exit code of one command."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def test_table_json_and_settings_file(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, file = tmp_path / "x", tmp_path / "settings.yaml"
    file.write_text("dim: 4\nseeds: 1\nlosses:\n  wide: {loss: triplet, loss_options: {margin: 0.5}}\n  softmax:\n")
    command = ["compare", shapes / "tree", "--out", out, "--settings", file, *FAST]
    assert run(*command, "--losses", "wide, triplet(margin=0.1)") == 0
    printed = capsys.readouterr()
    assert "significantly" in printed.out
    assert "raw pixels" in printed.out
    assert "[2/2]  triplet(margin=0.1) on conv4, seed 0: recall@1" in printed.err
    assert str(out / "report.md") in printed.err
    margins = {
        name: yaml.safe_load((out / "conv4" / name / "seed0" / "settings.yaml").read_text())["loss_options"]["margin"]
        for name in ("wide", "triplet(margin=0.1)")
    }
    assert margins == {"wide": 0.5, "triplet(margin=0.1)": 0.1}
    # What was asked for is a settings file itself; everything is there already.
    assert run("compare", shapes / "tree", "--out", out, "--settings", out / "compare.yaml", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["results"]) == 4


def test_ctrl_c_says_how_to_go_on(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "run_trial", stopped)
    assert run("compare", shapes / "tree", "--out", tmp_path / "x", "--losses", "softmax", *FAST) == 130
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--losses", "softmax,arcfase"], "unknown loss 'arcfase'"),
        (["--losses", "triplet(margin=-1.0)"], "margin is -1"),
        (["--losses", ","], "expected one or more names in a list"),
        (["--backbones", "resnet81"], "unknown backbone 'resnet81'"),
        (["--folds", "9"], "9 folds"),
        (["--seeds", "0"], "seeds is 0"),
        (["--epochs", "-1"], "setting epochs"),
        (["--split-by", "nothing"], "unknown column 'nothing'"),
        (["--settings", "nothing.yaml"], "settings file 'nothing.yaml' cannot be read"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert run("compare", shapes / "tree", "--out", tmp_path / "x", *FAST, *options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("nearkin: ")
    assert message in error
    assert not (tmp_path / "x").exists()
