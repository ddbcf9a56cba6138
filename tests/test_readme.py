"""The README's commands and its Python run as they stand, in order, on small pictures and with a small network."""

import re
import shlex
from pathlib import Path

import pytest
import torch

import nearkin
from nearkin.cli import main
from tests.reader_folder import draw_reader_folder

ROOT = Path(__file__).parent.parent

# What makes a command short: a small network, trained for an epoch.
SHORT = {
    "train": ["--backbone", "conv4", "--epochs", "1"],
    "compare": ["--backbones", "conv4", "--epochs", "1", "--seeds", "2"],
}


def blocks(*languages: str) -> list[str]:
    """The README's blocks of code in some languages."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [code for name, code in found if name in languages]


@pytest.fixture
def folder(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    draw_reader_folder(shapes)
    return tmp_path


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What a command prints, on standard output and on standard error."""
    with pytest.raises(SystemExit) as stopped:
        main(words)
    said = capsys.readouterr()
    assert not stopped.value.code, f"nearkin {shlex.join(words)}\n{said.err}"
    return said.out, said.err


def test_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [line for block in blocks("", "sh") for line in block.splitlines() if line.startswith("nearkin ")]
    assert len(commands) >= 18
    # The README speaks of a second model, which the reader is to train.
    run(["train", "photos/", "--out", "runs/better", "--seed", "1", *SHORT["train"]], capsys)
    printed = ""
    for command in commands:
        words = shlex.split(command)[1:]
        out, err = run([*words, *SHORT.get(words[0], ())], capsys)
        printed += out
        if words[0] != "gallery" and "--paths" not in words:
            assert re.search(r"^next: .*$", err, re.MULTILINE), f"{command}: does not say what to do next"
    assert Path("hits.png").exists()
    assert Path("out.html").exists()
    assert "кот" in printed.lower()


def test_pages_name_files_that_exist() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_index_of_the_docs_is_complete() -> None:
    targets = re.findall(r"\]\((.*?)\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= set(targets)


def test_python(folder: Path) -> None:
    (code,) = blocks("python")
    code = code.replace("epochs=20", 'epochs=1, backbone="conv4"')
    names = {"embeddings": torch.eye(4), "labels": torch.tensor([0, 0, 1, 1])}
    exec(code, names)
    assert names["vectors"].shape == (2, 128)
    assert len(names["gallery"]) == 96
    assert isinstance(names["encoder"], nearkin.Encoder)
