"""The tour, in English and in Russian: its commands and its Python run as they stand, its figures are the demo's."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
from PIL import Image

from nearkin.cli import main
from nearkin.encoders.encoder import Encoder
from nearkin.gallery.gallery import Gallery
from nearkin.tasks.demo.material import Demo
from nearkin.tasks.demo.steps import STEPS
from tests.few_emoji import use_few_emoji
from tests.reader_folder import draw_reader_folder

DOCS = Path(__file__).parent.parent.parent / "docs"
MAKE = runpy.run_path(str(DOCS / "make_tour.py"))
PAGES = ("tour.md", "tour.ru.md")
# What makes a command short: a small network, trained for an epoch.
SHORT = {
    "train": ["--backbone", "conv4", "--epochs", "1"],
    "compare": ["--backbones", "conv4", "--epochs", "1", "--seeds", "2"],
}


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_figures_are_those_of_the_demo(page: str) -> None:
    assert MAKE["updated"](text(page), MAKE["figures_taken"](), comma=page == "tour.ru.md") == text(page), (
        "run python docs/make_tour.py"
    )


def test_numbers_are_written_as_the_language_has_them() -> None:
    figures = {"a": [0.1234, 2.5], "n": 3, "b": {"c": 0.01}}
    template = "{a/0:%} {a/1} {n} {b/c:.0%}"
    assert MAKE["filled"](template, figures, comma=False) == "12.3 % 2.5 3 1 %"
    assert MAKE["filled"](template, figures, comma=True) == "12,3 % 2,5 3 1 %"


@pytest.mark.parametrize("page", PAGES)
def test_every_step_has_its_place_and_pictures_are_small(page: str) -> None:
    places = re.findall(r"<!-- demo: ([\w-]+): ", text(page))
    assert len(places) == len(STEPS)
    assert set(MAKE["figures_taken"]()) <= set(places)
    for name in MAKE["figures_taken"]():
        assert (DOCS / "tour" / f"{name}.jpg").stat().st_size <= MAKE["MOST"]
    assert "CC-BY 4.0" in text(page)


def test_both_pages_show_the_same() -> None:
    for line in ("nearkin .*", "```.*", r"<!-- demo: [\w-]+", r"## \d+"):
        english, russian = (re.findall(rf"^{line}", text(page), re.MULTILINE) for page in PAGES)
        assert english == russian
    assert blocks("tour.md", "math") == blocks("tour.ru.md", "math")


@pytest.mark.parametrize("page", PAGES)
def test_python(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for code in blocks(page, "python"):
        exec(code, {})
    assert "arcface_loss" in capsys.readouterr().out


@pytest.mark.timeout(900)
def test_commands(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page; the demo is told elsewhere, and leaves here only what later commands use."""
    monkeypatch.chdir(tmp_path)
    draw_reader_folder(shapes)
    # No example of a class may be smaller than a third of what the model sees.
    for path in Path().glob("*.jpg"):
        Image.open(path).resize((96, 96)).save(path)
    use_few_emoji(monkeypatch)
    commands = [line for block in blocks("tour.md", "sh") for line in block.splitlines()]
    assert len(commands) >= 15
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "nearkin", command
        if words[1:] == ["demo"]:
            assert isinstance(Demo(Path("runs/demo"), steps=5).gallery, Gallery)
            assert Encoder.from_pretrained("runs/demo/model").has_text
            continue
        with pytest.raises(SystemExit) as stopped:
            main([*words[1:], *SHORT.get(words[1], ())])
        assert not stopped.value.code, f"{command}\n{capsys.readouterr().err}"
