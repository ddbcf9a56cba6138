"""Help: every command and option, with its default as text; fast, and without anything heavy."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from nearkin.cli import main
from nearkin.cli.app import app, command_module, command_names


def help_of(*command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert not stopped.value.code
    return capsys.readouterr().out


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands below one, by the words that name them."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        yield from walk(command.get_command(None, name), (*path, name))


COMMANDS = list(walk(typer.main.get_command(app)))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
@pytest.mark.parametrize("columns", ["80", "40"])
def test_help_shows_every_word_of_every_option(
    path: tuple[str, ...],
    command: Any,
    columns: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = help_of(*path, capsys=capsys)
    letters = squeezed(shown)
    assert squeezed(command.help) in letters
    for parameter in command.params:
        assert parameter.help, f"{path}: {parameter.name} has no help"
        assert squeezed(parameter.help) in letters, f"{path}: {parameter.name}"
        default = parameter.default
        if parameter.param_type_name == "option" and default not in (None, False, True, ()):
            said = squeezed(f"default: {default}")
            assert said in letters, f"{path}: the default {default!r} of {parameter.name} is not shown"
    assert "\x1b" not in shown
    # Names of values and types as people write them.
    usage = shown[: shown.index("\n\n")]
    assert not set("{}<>") & set(usage), usage
    assert usage.removeprefix(f"Usage: nearkin {' '.join(path)}").isupper(), usage
    assert "list[" not in shown
    assert "range>" not in shown


def test_brackets_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert "[" in help_of("train", capsys=capsys)
    assert squeezed("[default: (0.001, or the lowest supported)]") in squeezed(help_of("verify", capsys=capsys))


def test_every_command_declares_its_section_and_order(capsys: pytest.CaptureFixture[str]) -> None:
    orders = [command_module(name).ORDER for name in command_names()]
    assert len(set(orders)) == len(orders)
    shown = help_of(capsys=capsys)
    for name in command_names():
        assert f"{command_module(name).SECTION}:" in shown
        assert re.search(rf"^  {name} ", shown, re.MULTILINE)
    assert shown.index("  train ") < shown.index("  index ") < shown.index("  demo ")


def test_a_command_near_the_one_that_was_typed_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["serach", "x"])
    assert stopped.value.code == 2
    assert "Did you mean 'search'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        ([name for name in command_names() if name != "evaluate"], set()),
        # Its options come from the protocols, which work on arrays and tables.
        (["evaluate"], {"numpy", "pyarrow"}),
    ],
)
def test_help_of_each_command_loads_nothing_heavy(names: list[str], allowed: set[str]) -> None:
    heavy = ("torch", "numpy", "lightning", "timm", "lance", "pyarrow", "matplotlib", "PIL", "pandas", "faiss")
    program = (
        "import sys, io, contextlib\n"
        "from nearkin.cli import main\n"
        "for words in (['--help'], *([name, '--help'] for name in sys.argv[1:])):\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main(words)\n"
        f"print(sorted(set({heavy}) & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(ran.stdout)) <= allowed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "data", "--batch-size", "many"], "--batch-size"),
        (["train", "data", "--nonsense"], "--nonsense"),
        (["search", "gallery", "x", "-k"], "-k"),
        (["serch"], "serch"),
        (["gallery", "delte", "x"], "delte"),
        (["gallery", "get"], "GALLERY"),
    ],
)
def test_errors_in_options_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    output, errors = capsys.readouterr()
    assert (stopped.value.code, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("nearkin: ")
    assert message in errors
    assert "see `nearkin" in errors
