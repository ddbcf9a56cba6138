"""What commands print: any terminal, encoding, width and pipe; names with any bytes; JSON that is valid."""

import errno
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from nearkin.cli import BAD_INPUT, FAULT, PIPE_CLOSED, main, one_line
from nearkin.cli.commands.search import print_hits
from nearkin.cli.output import print_json, print_table, warn
from nearkin.cli.terminal import accept_any_text, json_for
from nearkin.gallery.hits import Hit
from nearkin.serialise import json_text, plain

ROOT = Path(__file__).parents[2]
PYTHONPATH = os.pathsep.join((str(ROOT / "src"), str(ROOT)))

HITS = [
    Hit(7, 0.98765, "/pictures/a long folder/кот [1].png", "cat", ("a cat", "кот 🐈"), {"day": date(2024, 5, 1)}),
    Hit(12, 0.5, "/pictures/\udcff.png", None, ("two\nlines\tand a tab",), {}),
]

# Prints the hits above; the first argument says how.
PROGRAM = """
import sys
from nearkin.cli.terminal import accept_any_text
from tests.cli.test_output import HITS
accept_any_text()
if sys.argv[1] == "json":
    from nearkin.cli.output import print_json
    print_json({"hits": HITS})
elif sys.argv[1] == "table":
    from nearkin.cli.output import print_table
    print_table("кот [1]", ("name", "value"), [["кот \\udcff", "1"]], ["[resnet18] \\udcff"])
else:
    from nearkin.cli.commands.search import print_hits
    print_hits("кот", HITS)
print("ошибка \\udcff 🐈", file=sys.stderr)
"""
ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp1251": {"PYTHONIOENCODING": "cp1251"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "utf-16": {"PYTHONIOENCODING": "utf-16"},
    "C locale": {"LC_ALL": "C"},
    "C locale without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def python(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONIO", "PYTHONUTF8", "LC_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        env=kept | {"PYTHONPATH": PYTHONPATH} | environment,
        cwd=ROOT,
    )


@pytest.mark.parametrize("how", ["lines", "json", "table"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_character_ends_a_command(encoding: str, how: str, program: str) -> None:
    ran = python(program, how, **ENCODINGS[encoding])
    assert ran.returncode == 0, ran.stderr[-500:]
    assert b"Traceback" not in ran.stderr
    text = ran.stdout.decode("utf-16" if encoding == "utf-16" else "utf-8", "surrogateescape")
    if how == "json":
        decoded = ran.stdout.decode(ENCODINGS[encoding].get("PYTHONIOENCODING", "utf-8"))
        hits = json.loads(decoded)["hits"]
        assert [hit["uri"] for hit in hits] == [hit.uri for hit in HITS]
        assert hits[0]["captions"] == ["a cat", "кот 🐈"]
        assert hits[0]["metadata"] == {"day": "2024-05-01"}
    if how == "lines" and encoding != "utf-16":
        assert b"/pictures/\xff.png" in ran.stdout, "a name keeps its bytes, so that xargs finds the file"
        assert len(text.splitlines()) == 2


@pytest.fixture
def program(tmp_path: Path) -> str:
    """The path of a program that prints the hits."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    return str(tmp_path / "program.py")


def in_terminal(columns: int, *arguments: str, **environment: str) -> str:
    """What a program prints at a terminal of this width."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=follower,
        stderr=follower,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env=kept | {"PYTHONPATH": PYTHONPATH} | {"TERM": "xterm"} | environment,
    )
    os.close(follower)
    printed = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            # Linux says so where the other end is closed.
            break
        if not part:
            break
        printed += part
    os.close(leader)
    assert process.wait() == 0, printed.decode(errors="replace")
    return printed.decode(errors="replace").replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [120, 80, 40])
def test_at_a_terminal_tables_fold_and_nothing_is_cut(columns: int, program: str) -> None:
    # NO_COLOR asks for no colours; bold may stay.
    shown = re.sub(r"\x1b\[[01]m", "", in_terminal(columns, program, "lines", NO_COLOR="1"))
    table = [line for line in shown.splitlines() if "│" in line]
    assert "\x1b" not in shown
    assert "#7" in shown
    if columns == 40:
        # Too narrow for a table: a line for each hit, which the terminal wraps.
        assert not table
        assert HITS[0].uri in shown
        return
    assert max(map(len, shown.splitlines())) <= columns
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table]
    assert cells[0][:4] == ["1", "0.988", "#7", "cat"]
    assert "".join(cell[-1] for cell in cells).replace(" ", "").startswith("/pictures/alongfolder/кот[1].png")


@pytest.mark.parametrize(
    "environment", [{"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "cp1251"}], ids=str
)
def test_poor_terminals(environment: dict[str, str], program: str) -> None:
    shown = in_terminal(80, program, "table", **environment)
    assert "[resnet18]" in shown
    assert "Traceback" not in shown


def test_a_pipe_gets_a_line_for_each_hit(capsys: pytest.CaptureFixture[str]) -> None:
    print_hits("кот", [HITS[0], replace(HITS[1], uri="/x.png")], first=11)
    rows = [line.split("\t") for line in capsys.readouterr().out.split("\n")[:-1]]
    assert rows[0] == ["кот", "11", "0.9877", "7", HITS[0].uri, "cat", "a cat · кот 🐈"]
    assert rows[1][1:4] == ["12", "0.5000", "12"]
    assert rows[1][5:] == ["", "two lines and a tab"]


def test_a_pipe_gets_tables_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table("title", ("metric", "value"), [["m" * 200, "1"], ["n", "[bold]22"]], ["[resnet18] " + "w" * 200])
    title, header, first, second, line = capsys.readouterr().out.splitlines()
    assert (title, header.split()) == ("title", ["metric", "value"])
    assert first.startswith("m" * 200)
    assert second.endswith("  [bold]22")
    assert line == "[resnet18] " + "w" * 200


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    program = "from nearkin.cli.output import print_table; print_table('t', ('name',), [['a\\x1b[2Jb\\x07']])"
    assert "\x1b[2J" not in in_terminal(80, "-c", program)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", '{"кот": "é 🦊 \\udcff"}'),
        ("cp1251", '{"кот": "\\u00e9 \\ud83e\\udd8a \\udcff"}'),
        ("latin-1", '{"\\u043a\\u043e\\u0442": "é \\ud83e\\udd8a \\udcff"}'),
        (None, '{"кот": "é 🦊 \\udcff"}'),
    ],
)
def test_json_escapes_only_what_an_encoding_lacks(encoding: str | None, shown: str) -> None:
    text = json_for(encoding, json_text({"кот": "é 🦊 \udcff"}, indent=None))
    assert text == shown
    assert json.loads(text) == {"кот": "é 🦊 \udcff"}


def test_every_value_has_a_form_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        "nan": float("nan"),
        "infinite": np.float32("inf"),
        "array": np.arange(3, dtype=np.int16),
        "number": np.float64(0.5),
        "path": Path("a/b"),
        "bytes": b"\xff",
        "tuple": (1, None, True),
        1: {"set": frozenset({2})},
        "hit": HITS[0],
    }
    print_json(values)
    back = json.loads(capsys.readouterr().out)
    assert (back["nan"], back["infinite"], back["array"], back["number"]) == (None, None, [0, 1, 2], 0.5)
    assert (back["path"], back["tuple"], back["1"]) == ("a/b", [1, None, True], {"set": [2]})
    assert back["hit"]["captions"] == ["a cat", "кот 🐈"]
    print_json(values, one_line=True)
    assert capsys.readouterr().out.count("\n") == 1
    assert plain(Path("x")) == "x"


def test_a_closed_pipe_ends_a_command_quietly() -> None:
    piped = f"(sleep 0.5; exec {sys.executable} -m nearkin train --help) | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", piped], capture_output=True)
    assert ran.returncode == PIPE_CLOSED
    assert ran.stderr == b""


def test_a_pipe_closed_in_the_middle(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from nearkin.cli.commands import demo

    def broken() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    assert failing(monkeypatch, demo, broken) == PIPE_CLOSED
    assert capsys.readouterr().err == ""


def test_a_full_disk_behind_standard_output() -> None:
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m nearkin train --help > /dev/full"], capture_output=True, text=True
    )
    assert ran.returncode == BAD_INPUT
    assert ran.stderr == "nearkin: No space left on device\n"


def failing(monkeypatch: pytest.MonkeyPatch, module: object, function: Callable[[], None]) -> int:
    """The exit code of `nearkin demo`, if it does this."""
    monkeypatch.setattr(module, "demo", lambda: function())
    with pytest.raises(SystemExit) as stopped:
        main(["demo"])
    return int(stopped.value.code or 0)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", b"/x/\xff"), "/x/\udcff: Is a directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "/x: No space left on device"),
        (MemoryError(), "out of memory"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "text that is not UTF-8"),
        (OSError("something of a library"), None),
        (ValueError("ours"), None),
        (RuntimeError("ours"), None),
    ],
)
def test_errors_that_users_can_do_something_about_are_one_line(error: Exception, line: str | None) -> None:
    said = one_line(error)
    assert (said is None) == (line is None)
    if said is not None:
        assert said.startswith(str(line))
        assert "\n" not in said


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), BAD_INPUT, "nearkin: out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), BAD_INPUT, "nearkin: /x: No space left on device"),
        (ZeroDivisionError("ours"), FAULT, "this is a fault of nearkin"),
        (
            KeyboardInterrupt(),
            130,
            "nearkin: stopped; the same command begins again; features that were computed are kept",
        ),
    ],
)
def test_exit_codes(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from nearkin.cli.commands import demo

    def fails() -> None:
        raise error

    assert failing(monkeypatch, demo, fails) == code
    printed = capsys.readouterr().err
    assert words in printed
    assert ("Traceback" in printed) == (code == FAULT)


def test_streams_without_an_encoding_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    accept_any_text()
    print_json({"a": "кот"})
    assert "кот" in sys.stdout.getvalue()  # type: ignore[attr-defined]
    warn("x")
