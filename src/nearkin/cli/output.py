"""What commands print: answers on standard output, all else on standard error. The only JSON and the only tables.

At a terminal a table has borders and folds long text. Into a file or pipe it is plain text with a line for each row,
never folded or cut, so that grep, cut and xargs can work with it.
"""

import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from nearkin.cli.terminal import json_for
from nearkin.serialise import json_text

if TYPE_CHECKING:
    from nearkin.data.items import Broken
    from nearkin.evaluation.model_comparison import ModelComparison
    from nearkin.evaluation.report import Report
    from nearkin.tasks.compare.result import Comparison

# Skipped pictures that are named one by one; --json has all.
SHOWN_SKIPPED = 5

# Entries of a list of facts that are shown; --json has all.
SHOWN_ENTRIES = 10

# Columns of names, not numbers.
_NAMES = ("metric", "name")

# Characters that a column of text has at least, in a table with borders.
LEAST_TEXT = 12

# Whether --quiet was given.
quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def status(message: str) -> None:
    """A line on standard error about what is done, for who is watching; not with --quiet."""
    if not quiet.get():
        warn(message)


def next_step(message: str) -> None:
    """The last line of a command, which says what to do next; not with --quiet."""
    status(f"next: {message}")


def warn(message: str) -> None:
    """A line on standard error that matters to everyone."""
    print(message, file=sys.stderr, flush=True)


def print_json(value: Any, *, one_line: bool = False) -> None:
    """Any result as JSON; as one line if many follow each other. Characters that the output lacks become escapes."""
    print(json_for(sys.stdout.encoding, json_text(value, indent=None if one_line else 2)))


def print_facts(facts: Mapping[str, Any], *, as_json: bool = False) -> None:
    """A line for each fact, the beginning of a list line by line below its name; or JSON, which has all."""
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = "; ".join(f"{key}: {_shown(entry)}" for key, entry in value.items())
        if isinstance(value, list | tuple):
            print(f"{name}: {len(value):,}", *value[:SHOWN_ENTRIES], sep="\n  ")
            if len(value) > SHOWN_ENTRIES:
                print(f"  and {len(value) - SHOWN_ENTRIES:,} more; --json lists all")
        else:
            print(f"{name}: {_shown(value)}")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if type(value) is int else str(value)


def print_report(report: "Report | ModelComparison", *, as_json: bool = False) -> None:
    """An evaluation: a table with counts and notes, or JSON."""
    if as_json:
        print_json(report)
        return
    print_table(report.title, report.columns, report.table(), (report.summary(), *report.notes))
    print_skipped(report.skipped)


def print_comparison(comparison: "Comparison") -> None:
    """A comparison: a table, which differences are real, and notes."""
    header, *rows = comparison.table()
    print_table(comparison.title, header, rows, (*comparison.sentences(), *comparison.notes))


def print_table(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    lines: Sequence[str] = (),
    *,
    names: Sequence[str] = _NAMES,
) -> None:
    """A table, and lines of text below it.

    Args:
        title: printed above.
        header, rows: texts.
        lines: text below the table, which is never wrapped.
        names: columns of text, to the left; numbers stand to the right.
    """
    left = [name in names for name in header]
    title, *lines = (_printable(text) for text in (title, *lines))
    shown = [[_printable(text) for text in row] for row in (header, *rows)]
    if not sys.stdout.isatty() or not _print_bordered(title, shown, left):
        print(title)
        for row in _aligned(shown, left):
            print(row)
    for line in lines:
        print(line)


def _print_bordered(title: str, rows: Sequence[Sequence[str]], left: Sequence[bool]) -> bool:
    """A table with borders; False, and nothing is printed, where the terminal is too narrow for one."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Numbers break between words only. Text is folded: all of a path is shown, for it is there to be copied.
    rows = [[_escaped(text) for text in row] for row in rows]
    words = [[word for text in column for word in text.split()] or [""] for column in zip(*rows, strict=True)]
    least = [
        min(max(map(len, column)), LEAST_TEXT) if is_text else max(map(len, column))
        for column, is_text in zip(words, left, strict=True)
    ]
    console = Console()
    if sum(least) + 3 * len(least) + 1 > console.width:
        return False
    # As Text, in which brackets are no markup.
    table = Table(title=Text(title), title_justify="left")
    for name, is_text, width in zip(rows[0], left, least, strict=True):
        table.add_column(Text(name), justify="left" if is_text else "right", overflow="fold", min_width=width)
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    console.print(table)
    return True


def _escaped(text: str) -> str:
    """Text with escapes for what the terminal lacks: a table is laid out with what is really shown."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _aligned(shown: Sequence[Sequence[str]], left: Sequence[bool]) -> list[str]:
    """Rows as lines, their columns two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if is_text else text.rjust(width)
            for text, width, is_text in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in shown
    ]


def tab_separated(values: Sequence[str]) -> str:
    """Values as one line. Tabs and line breaks in them become spaces.

    Example:
        >>> tab_separated(["0.981", "cat.png", "two\\nlines"])
        '0.981\\tcat.png\\ttwo lines'
    """
    return "\t".join(" ".join(value.splitlines()).replace("\t", " ") for value in values)


def _printable(text: str) -> str:
    """Text without control characters, which would move the cursor or change colours."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or "\udc80" <= character <= "\udcff" else " " for character in text
    )


def print_skipped(skipped: "Sequence[Broken]") -> None:
    """Pictures that could not be read: the first few by name, the others by number."""
    for broken in skipped[:SHOWN_SKIPPED]:
        warn(f"skipped {broken}")
    if len(skipped) > SHOWN_SKIPPED:
        warn(f"and {len(skipped) - SHOWN_SKIPPED:,} more; --json lists all")
