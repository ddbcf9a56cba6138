"""Do the tests see a fault? Each mutant is one fault put into a copy of the source; its tests must fail.

    python benchmarks/mutants.py losses [--only triplet ...]
    python benchmarks/mutants.py intervals calibration
    python benchmarks/mutants.py similarity/certified.py gallery/filters.py --sample 100

Names are packages or modules below `src/nearkin`. The faults of `losses` are written by hand, in the tables
`faults_*.py`. Those of everything else are made: every comparison, sign, operator, number, truth value and a few calls
(`min` for `max`, `mean` for `sum`, the other axis, the other side of `searchsorted`) is changed, one at a time; a check
of the user's input is left out. Text, annotations and docstrings are left alone, and so are default values,
`strict=True` and tolerances. `--sample N` takes so many of a file at random, the same ones each time.

The tests of a module are those that mirror it: `tests/intervals/test_dyadic.py` for `intervals/dyadic.py`, or, if there
is none, all of the folder; `--tests` names others. They run in a fork that shares the imported packages, and a mutant
that makes them run ten times as long as the source does is killed by that too.

A survivor that changes nothing anybody could see stands in `mutants_explained.json` with the reason. Exits with 1 if
another survives, or if the source has moved on and a written fault no longer applies.
"""

import argparse
import ast
import gc
import importlib
import io
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Path("src/nearkin")
EXPLAINED = Path(__file__).with_name("mutants_explained.json")
# Packages that are imported once, before the forks.
SHARED = (
    "numpy", "scipy.special", "scipy.stats", "sklearn.linear_model", "sklearn.isotonic", "sklearn.metrics",
    "PIL.ImageDraw", "jaxtyping", "hypothesis.strategies", "pytest",
)  # fmt: skip
WITH_TORCH = ("torch._dynamo", "pytorch_metric_learning.losses")


class Mutant(NamedTuple):
    """A fault: what stands from `start` to `end` of the source, and what is put there."""

    start: int
    end: int
    there: str
    instead: str
    line: str

    def __str__(self) -> str:
        return f"'{self.instead}' for '{self.there}' in: {self.line}"

    @property
    def key(self) -> str:
        """What it is found by in the list of those that are explained."""
        return f"{self.line} | {self.there} -> {self.instead}"


def written_faults(package: Path) -> dict[Path, tuple[tuple[Path, ...], list[Mutant]]]:
    """The tables `FAULTS` of all files `faults_*.py` beside this one: file -> its tests, its faults."""
    found = {}
    for table in sorted(Path(__file__).parent.glob("faults_*.py")):
        for name, (tests, faults) in importlib.import_module(table.stem).FAULTS.items():
            file, text = _one(ROOT / SOURCE / package, name)
            missing = [there for there, _ in faults if there not in text]
            assert not missing, f"{name}: no longer there, write the fault again: {missing}"
            mutants = [_of_text(text, there, instead) for there, instead in faults]
            found[file] = tuple(_one(ROOT / "tests" / package, test)[0] for test in tests), mutants
    return found


def _one(folder: Path, name: str) -> tuple[Path, str]:
    paths = list(folder.rglob(name))
    assert len(paths) == 1, f"{name}: {len(paths)} files of that name in {folder}"
    return paths[0].relative_to(ROOT), paths[0].read_text(encoding="utf-8")


def _of_text(text: str, there: str, instead: str) -> Mutant:
    start = text.index(there)
    return Mutant(start, start + len(there), there, instead, text[text.rfind("\n", 0, start) + 1 :].split("\n")[0])


def made_faults(text: str) -> list[Mutant]:
    """One fault for every place of the source that can be changed."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    def position(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)

    found = {}
    for node in _code(ast.parse(text)):
        for start, end, instead in _changes(node, position, text):
            line = lines[text.count("\n", 0, start)].strip()
            found[start, end, instead] = Mutant(start, end, text[start:end], instead, line)
    return sorted(found.values())


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but text, annotations, decorators, default values, `strict=True` and `raise`."""
    skipped = {"annotation", "returns", "decorator_list", "bases", "defaults", "kw_defaults"}
    for name, value in ast.iter_fields(tree):
        if name in skipped:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.keyword) and child.arg == "strict":
                continue
            if isinstance(child, ast.AST) and not isinstance(child, ast.Raise | ast.JoinedStr | ast.Assert):
                yield child
                yield from _code(child)


COMPARISONS = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in",
    ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
OPERATORS = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "//"), ast.Pow: ("**", "*"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
    ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
}  # fmt: skip
CALLS = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "floor": "ceil", "ceil": "floor",
    "sum": "mean", "mean": "sum", "any": "all", "all": "any", "argmin": "argmax", "argmax": "argmin",
    "zeros": "ones", "ones": "zeros", "fmin": "fmax", "fmax": "fmin",
}  # fmt: skip
# Below, a number stands for rounding errors, and twice as large means the same.
TOLERANCE = 1e-6
WORDS = {"left": "right", "right": "left"}


def _changes(node: ast.AST, position, text: str) -> Iterator[tuple[int, int, str]]:
    """Where something else can stand, and what."""
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for one, other, operator in zip(operands[:-1], operands[1:], node.ops, strict=True):
            yield _between(position(one)[1], position(other)[0], text, COMPARISONS[type(operator)])
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not _is_text(node.left):
        there, instead = OPERATORS[type(node.op)]
        start = text.index(there, position(node.left)[1], position(node.right)[0])
        yield start, start + len(there), instead
    elif isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        there, instead = (f"{sign}=" for sign in OPERATORS[type(node.op)])
        start = text.index(there, position(node.target)[1], position(node.value)[0])
        yield start, start + len(there), instead
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield position(node)[0], position(node.operand)[0], ""
    elif isinstance(node, ast.BoolOp):
        instead = "or" if isinstance(node.op, ast.And) else "and"
        for one, other in zip(node.values[:-1], node.values[1:], strict=True):
            yield _between(position(one)[1], position(other)[0], text, instead)
    elif isinstance(node, ast.Constant):
        start, end = position(node)
        if isinstance(node.value, bool):
            yield start, end, str(not node.value)
        elif isinstance(node.value, int):
            yield start, end, repr(node.value + 1)
        elif isinstance(node.value, float) and (node.value == 0 or node.value > TOLERANCE):
            yield start, end, repr(2 * node.value or 1.0)
        elif isinstance(node.value, str) and node.value in WORDS:
            yield start, end, repr(WORDS[node.value])
    elif isinstance(node, ast.Call):
        name = node.func
        if isinstance(name, ast.Attribute) and name.attr in CALLS:
            end = position(name)[1]
            yield end - len(name.attr), end, CALLS[name.attr]
        elif isinstance(name, ast.Name) and name.id in ("min", "max"):
            yield *position(name), CALLS[name.id]
    elif isinstance(node, ast.If) and all(isinstance(one, ast.Raise) for one in node.body):
        yield *position(node.test), "False"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _between(start: int, end: int, text: str, instead: str) -> tuple[int, int, str]:
    """The operator between two operands, without the brackets and blanks around it."""
    while not (text[start].isalpha() or text[start] in "<>=!"):
        start += 1
    stop = start
    while text[stop].isalpha() or text[stop] in "<>=! ":
        stop += 1
    there = text[start : min(stop, end)].strip()
    for known in ("not in", "is not", "in", "is", "and", "or", "<=", ">=", "==", "!=", "<", ">"):
        if there.startswith(known):
            return start, start + len(known), instead
    raise AssertionError(f"no operator in '{text[start:end]}'")


def tests_of(file: Path) -> tuple[Path, ...]:
    """The test that mirrors a module, or all tests of its folder, or those beside it that are named as it is."""
    folder = Path("tests") / file.relative_to(SOURCE).parent
    mirror = folder / f"test_{file.stem}.py"
    if (ROOT / mirror).exists():
        return (mirror,)
    named = sorted((ROOT / folder.parent).glob(f"test_{folder.name.removesuffix('s')}*.py"))
    return (folder,) if (ROOT / folder).exists() else tuple(path.relative_to(ROOT) for path in named)


def run(folder: Path, tests: tuple[Path, ...], seconds: float | None = None) -> bool:
    """Whether any test fails against the source in the folder, or they take too long; in a fork, see above."""
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_exit_as_pytest, args=(folder, tests))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return True
    assert process.exitcode in (0, 1, 2, 4), f"pytest ended with {process.exitcode}"
    return process.exitcode != 0


def _exit_as_pytest(folder: Path, tests: tuple[Path, ...]) -> None:
    import pytest

    sys.path[:0] = [str(folder / "src"), str(folder)]
    os.environ["PYTHONPATH"] = str(folder / "src")  # of tests that start a process
    paths = [str(folder / test) for test in tests]
    imported = "ignore::pytest.PytestAssertRewriteWarning"  # Hypothesis is, before the fork
    options = ["-x", "-q", "-W", imported, "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir", str(folder)]
    with redirect_stdout(io.StringIO()) as shown, redirect_stderr(io.StringIO()):
        code = pytest.main([*options, *paths])
    nearkin = sys.modules.get("nearkin")
    elsewhere = nearkin is not None and not Path(str(nearkin.__file__)).is_relative_to(folder)
    if code not in (0, 1) and "import" not in shown.getvalue().lower():
        print(shown.getvalue()[-2000:], file=sys.__stderr__)
    sys.exit(3 if elsewhere else int(code))


def chosen_faults(options: argparse.Namespace) -> dict[Path, tuple[tuple[Path, ...], list[Mutant]]]:
    """For each file its tests and its mutants."""
    found: dict[Path, tuple[tuple[Path, ...], list[Mutant]]] = {}
    for name in options.names:
        if name == "losses":
            found |= written_faults(Path(name))
            continue
        path = ROOT / SOURCE / name
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        assert files, f"{path}: neither a module nor a package"
        for file in (file for file in files if file.name != "__init__.py"):
            mutants = made_faults(file.read_text(encoding="utf-8"))
            if options.sample and len(mutants) > options.sample:
                mutants = sorted(random.Random(0).sample(mutants, options.sample))
            relative = file.relative_to(ROOT)
            found[relative] = tuple(options.tests) or tests_of(relative), mutants
    return {file: some for file, some in found.items() if file.name.startswith(tuple(options.only))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help="packages or modules below src/nearkin")
    parser.add_argument("--only", nargs="+", default=[""], help="only files whose name starts so")
    parser.add_argument("--sample", type=int, default=0, help="at most so many mutants of a file, drawn at random")
    parser.add_argument("--tests", nargs="+", type=Path, default=[], help="tests to run, such as tests/gallery")
    options = parser.parse_args()
    chosen = chosen_faults(options)
    explained = json.loads(EXPLAINED.read_text(encoding="utf-8")) if EXPLAINED.exists() else {}
    light = all(name.partition("/")[0] == "intervals" for name in options.names)
    for package in SHARED if light else SHARED + WITH_TORCH:
        importlib.import_module(package)
    gc.freeze()  # pytest collects garbage ten times as it ends, and need not look at all of this
    started, survivors, count, known = time.monotonic(), [], 0, 0
    print("| file | mutants | killed | explained |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        for file, (tests, mutants) in chosen.items():
            before = time.monotonic()
            assert not run(folder, tests), f"{[str(test) for test in tests]} fail without any mutant"
            patience = 60 + 10 * (time.monotonic() - before)
            path = folder / file
            source, alive, reasons = path.read_text(encoding="utf-8"), [], explained.get(str(file), {})
            for mutant in mutants:
                path.write_text(source[: mutant.start] + mutant.instead + source[mutant.end :], encoding="utf-8")
                if not run(folder, tests, patience):
                    alive.append(mutant)
            path.write_text(source, encoding="utf-8")
            unexplained = [mutant for mutant in alive if mutant.key not in reasons]
            survivors += [f"{file}: {mutant}" for mutant in unexplained]
            count, known = count + len(mutants), known + len(alive) - len(unexplained)
            print(
                f"| `{file.relative_to(SOURCE)}` | {len(mutants)} | {len(mutants) - len(alive)} | "
                f"{len(alive) - len(unexplained)} |",
                flush=True,
            )
            for mutant in unexplained:
                print(f"survived: {mutant}", file=sys.stderr, flush=True)
    print(f"| all | {count} | {count - len(survivors) - known} | {known} |")
    print(f"\n{time.monotonic() - started:.0f} s", *survivors, sep="\nSurvived: " if survivors else "")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
