"""What commands print: answers on standard output, status on standard error."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from nearkin.data.items import Broken
    from nearkin.evaluation.model_comparison import SideBySide
    from nearkin.evaluation.report import Report
    from nearkin.tasks.compare.result import Comparison

# Skipped pictures that are named one by one; --json has all.
SHOWN_SKIPPED = 5

# Columns of names, not numbers.
_NAMES = ("metric", "name")


def status(message: str) -> None:
    """A line on standard error, for people who watch."""
    Console(stderr=True).print(message, highlight=False, markup=False, soft_wrap=True)


def print_report(report: "Report | SideBySide", *, as_json: bool = False) -> None:
    """An evaluation: a table with counts and notes, or JSON."""
    if as_json:
        print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
        return
    _print_table(report.title, report.columns, report.table(), (report.summary(), *report.notes))
    print_skipped(report.skipped)


def print_comparison(comparison: "Comparison") -> None:
    """A comparison: a table, which differences are real, and notes."""
    header, *rows = comparison.table()
    _print_table(comparison.title, header, rows, (*comparison.sentences(), *comparison.notes))


def _print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str]) -> None:
    """A table, names to the left and numbers to the right, and lines of text below."""
    console = Console()
    table = Table(title=title, title_justify="left")
    for name in header:
        table.add_column(name, justify="left" if name in _NAMES else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def print_skipped(skipped: "Sequence[Broken]") -> None:
    """Pictures that could not be read: the first few by name, the others by number."""
    for broken in skipped[:SHOWN_SKIPPED]:
        status(f"skipped {broken}")
    if len(skipped) > SHOWN_SKIPPED:
        status(f"and {len(skipped) - SHOWN_SKIPPED:,} more; --json lists all")
