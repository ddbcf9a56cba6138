"""Filters drawn at random against DuckDB: the same rows, or a refusal, never other rows.

    python benchmarks/fuzz_filters.py [--examples 10000] [--seed 0] [--show 10]

Hypothesis draws expressions with quoted names, nulls, Unicode, dates, casts, patterns and missing parentheses; both
read the same 60 rows. Prints how many agreed and how many were refused, by reason. Exits with 1 if the rows of one
differ.
"""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.gallery.filter_expressions import duckdb_answers, filters, for_duckdb, make_gallery

from nearkin.data.names import plain_text
from nearkin.errors import InvalidInput


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=10, help="differences that are printed")
    options = parser.parse_args()
    gallery = make_gallery(Path(tempfile.mkdtemp(), "gallery"))
    snapshot, expected = gallery._newest().snapshot, duckdb_answers(gallery)
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    differences: list[str] = []

    @settings(
        max_examples=options.examples, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @seed(options.seed)
    @given(filters())
    def compare(where: str) -> None:
        try:
            found = snapshot.ids_where(where).tolist()
        except InvalidInput as error:
            outcomes["refused"] += 1
            reasons[reason_of(str(error), where)] += 1
            return
        try:
            truth = expected(for_duckdb(plain_text(where)))
        except duckdb.Error as error:
            outcomes["answered, refused by DuckDB"] += 1
            reasons["DuckDB: " + str(error).splitlines()[0][:60]] += 1
            return
        outcomes["same rows" if found == truth else "OTHER ROWS"] += 1
        outcomes["of these, some rows and not all"] += found == truth and 0 < len(truth) < len(snapshot)
        if found != truth:
            differences.append(f"{where}\n    {sorted(set(found) ^ set(truth))} differ")

    started = time.process_time()
    compare()
    print(f"{options.examples:,} filters, seed {options.seed}, {time.process_time() - started:.0f} s of processor time")
    for name, count in outcomes.most_common():
        print(f"{count:>7,}  {name}")
    print("\nrefused because:")
    for name, count in reasons.most_common(40):
        print(f"{count:>7,}  {name}")
    for difference in differences[: options.show]:
        print(f"\nOTHER ROWS: {difference}")
    return 1 if differences else 0


REASONS = (
    "is no date or time", "divides by zero", "beyond 64 bits", "more digits than a float", "divides integers",
    "not a number", "escape character", "beside the integer", "use IS NULL", "fails on an item",
    "databases do in different ways", "join them with AND or OR", "unknown column",
)  # fmt: skip


def reason_of(message: str, where: str) -> str:
    """A message without the filter, and without its names and values."""
    reason = message.replace(where, "").removeprefix('where "" ').removeprefix('where "": ')
    if known := next((each for each in REASONS if each in reason), None):
        return known
    kinds = re.sub(r"compares .* \((.*?)\) with .* \((.*?)\).*", r"compares \1 with \2", reason)
    return re.sub(r"\s+", " ", kinds)[:70]


if __name__ == "__main__":
    sys.exit(main())
