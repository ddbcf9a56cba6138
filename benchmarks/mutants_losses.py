"""Do the tests of the losses see a wrong sign? Each mutant is one fault put into a copy of the source; all must die.

    python benchmarks/mutants_losses.py [--only triplet ...]

The faults stand in the tables of `faults_*.py`. The tests of the mutated file run against each mutant, in a fork that
shares the imported packages; the result is a Markdown table. Exits with 1 if a mutant survives, or if the sources have
moved on and a fault no longer applies.
"""

import argparse
import importlib
import io
import multiprocessing
import shutil
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOSSES = Path("src/nearkin/losses")


def every_fault() -> dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]]:
    """The tables `FAULTS` of all files `faults_*.py` beside this one."""
    found: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {}
    for path in sorted(Path(__file__).parent.glob("faults_*.py")):
        found |= importlib.import_module(path.stem).FAULTS
    return found


def fails(folder: Path, tests: tuple[str, ...]) -> bool:
    """Whether any test fails against the source in the folder; run in a fork, since imports cannot be undone."""
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_exit_as_pytest, args=(folder, tests))
    process.start()
    process.join()
    assert process.exitcode in (0, 1), f"pytest ended with {process.exitcode}"
    return process.exitcode == 1


def _exit_as_pytest(folder: Path, tests: tuple[str, ...]) -> None:
    import pytest

    sys.path[:0] = [str(folder / "src"), str(folder)]
    paths = [str(folder / "tests/losses" / test) for test in tests]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir", str(folder)]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        code = pytest.main([*options, *paths])
    import nearkin

    assert Path(nearkin.__file__).is_relative_to(folder), "the tests ran against another source"
    sys.exit(int(code))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="mutate only files whose name starts so")
    only = tuple(parser.parse_args().only)
    chosen = {file: faults for file, faults in every_fault().items() if file.startswith(only)}
    for package in ("torch._dynamo", "pytorch_metric_learning.losses", "sklearn.metrics"):
        importlib.import_module(package)
    started, survivors = time.monotonic(), []
    print("| file | mutants | killed |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        every_test = tuple(sorted({test for tests, _ in chosen.values() for test in tests}))
        assert not fails(folder, every_test), "the tests fail without any mutant"
        for file, (tests, faults) in chosen.items():
            path = folder / LOSSES / file
            source = path.read_text(encoding="utf-8")
            alive = []
            for there, instead in faults:
                assert there in source, f"{file}: '{there}' is no longer there: write the fault anew"
                path.write_text(source.replace(there, instead, 1), encoding="utf-8")
                if not fails(folder, tests):
                    alive.append(f"{file}: '{instead}' for '{there}'")
            path.write_text(source, encoding="utf-8")
            survivors += alive
            print(f"| `{file}` | {len(faults)} | {len(faults) - len(alive)} |", flush=True)
    count = sum(len(faults) for _, faults in chosen.values())
    print(f"| all | {count} | {count - len(survivors)} |")
    print(f"\n{time.monotonic() - started:.0f} s", *survivors, sep="\nSurvived: " if survivors else "")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
