"""The README's commands and its Python run as they stand, on small pictures and with a small network."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

import nearkin
from nearkin.cli import main

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    """The README's blocks of code of a language; those of "sh" need models that are calibrated, and are not run."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [code for name, code in found if name == language]


@pytest.fixture
def place(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shapes / "tree", "photos")
    shutil.copytree(shapes / "tree", "other-photos")
    shutil.copy(shapes / "captions.csv", ".")
    for name in ("query.jpg", "a.jpg", "b.jpg"):
        shutil.copy(shapes / "tree" / "red circle" / "0.png", name)
    return tmp_path


def test_commands(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [line for block in blocks("") for line in block.splitlines() if line.startswith("nearkin ")]
    assert len(commands) >= 6
    for command in commands:
        words = shlex.split(command.replace("resnet18", "conv4").replace("--minutes 10", "--minutes 0.02"))[1:]
        if words[0] == "train" and "--minutes" not in words:
            words += ["--backbone", "conv4", "--epochs", "1"]
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert not stopped.value.code, f"{command}\n{capsys.readouterr().err}"
    assert (place / "hits.png").exists()
    assert "кот" in capsys.readouterr().out.lower()


def test_python(place: Path) -> None:
    (code,) = blocks("python")
    code = code.replace("epochs=20", 'epochs=1, backbone="conv4"')
    names = {"embeddings": torch.eye(4), "labels": torch.tensor([0, 0, 1, 1])}
    exec(code, names)
    assert names["vectors"].shape == (2, 128)
    assert len(names["gallery"]) == 96
    assert isinstance(names["encoder"], nearkin.Encoder)
