"""What every kind declares, found by the names of the files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nearkin
from nearkin.arrays import unit
from nearkin.errors import ArtefactError, InvalidInput, UnknownName
from nearkin.gallery.index import KINDS, ExactIndex, Index, build, kind_names, load
from nearkin.gallery.index import kinds as package

MAKE_TABLES = Path(__file__).parents[4] / "docs" / "make_tables.py"
VECTORS = unit(np.random.default_rng(0).standard_normal((600, 24), dtype=np.float32))


def test_a_file_is_a_kind() -> None:
    files = {path.stem.replace("_", "-") for path in Path(package.__path__[0]).glob("[!_]*.py")}
    assert set(KINDS) == files
    assert kind_names() == ("auto", *sorted(files))
    assert files >= {"exact", "hnsw", "ivf", "ivf-pq", "lsh", "pq"}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_declares_what_it_is(name: str) -> None:
    kind = KINDS[name]
    assert kind.kind == name
    assert kind.when
    assert kind.metrics
    assert (kind.__doc__ or "").splitlines()[0].endswith(".")
    assert 0 < kind.floor_bytes(24) <= kind.floor_bytes(128)
    index = build(VECTORS, name, recall=0.9)
    assert index.kind == name
    assert index.bytes_per_vector >= kind.floor_bytes(24)
    assert index.setting
    assert isinstance(index.exact, ExactIndex)
    assert index.search(VECTORS[:3], 1)[1].ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_has_hashes_or_says_so(name: str) -> None:
    index = build(VECTORS, name, recall=0.9)
    if type(index).hashes is Index.hashes:
        for ask in (lambda: index.hashes(VECTORS[:2]), lambda: index.buckets(1)):
            with pytest.raises(InvalidInput, match=f"is of kind {name} and has no hashes"):
                ask()
    else:
        assert all(set(hash_) <= {"0", "1"} for hash_ in index.hashes(VECTORS[:2]))
        assert sum(map(len, index.buckets(3).values())) == len(VECTORS)


def test_names_are_listed_without_importing_a_kind() -> None:
    program = (
        "import sys; from nearkin.registry import module_names; print(*module_names('nearkin.gallery.index.kinds'))\n"
        "assert not any(name.startswith(('numpy', 'faiss', 'nearkin.gallery')) for name in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == list(KINDS)


def test_faiss_is_loaded_by_the_kinds_that_use_it() -> None:
    program = (
        "import sys; import numpy as np; from nearkin.gallery.index import KINDS, build; list(KINDS.values())\n"
        "assert build(np.eye(300, 8, dtype=np.float32), 'exact').search(np.eye(1, 8, dtype=np.float32), 1)[0] == 1\n"
        "assert 'faiss' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_new_file_is_a_kind_everywhere(tmp_path: Path) -> None:
    """One file beside the others: built, searched, saved, loaded, and offered on the command line and in the docs."""
    copy = tmp_path / "nearkin"
    shutil.copytree(Path(nearkin.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "gallery" / "index" / "kinds" / "float_scan.py").write_text(
        '''
"""All vectors compared in float32."""
from nearkin.gallery.index.kinds.exact import ExactIndex


class FloatScanIndex(ExactIndex):
    """All vectors, compared one by one."""

    kind = "float-scan"
    when = "never"


KIND = FloatScanIndex
'''
    )
    program = """
import pathlib, runpy, tempfile
import numpy as np
from nearkin.gallery.index import build, kind_names, load
assert "float-scan" in kind_names()
index = build(np.eye(300, 8, dtype=np.float32), "float-scan")
folder = pathlib.Path(tempfile.mkdtemp())
index.save(folder)
assert load(folder, index.vectors).kind == index.kind == "float-scan"
table = runpy.run_path("MAKE_TABLES")["index_kinds_table"]()
assert "| `float-scan` | All vectors, compared one by one. | 137 | never |" in table
"""
    path = os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
    subprocess.run([sys.executable, "-c", program.replace("MAKE_TABLES", str(MAKE_TABLES))], check=True, env=path)
    command = [sys.executable, "-m", "nearkin", "gallery", "build", "--help"]
    assert "float-scan" in subprocess.run(command, check=True, env=path, capture_output=True, text=True).stdout


def test_unknown_kinds(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"unknown kind of index 'hsnw': did you mean hnsw\?"):
        build(VECTORS, "hsnw")
    index = ExactIndex(VECTORS)
    index.save(tmp_path)
    header = tmp_path / "index.json"
    header.write_text(header.read_text().replace('"exact"', '"of-tomorrow"'))
    with pytest.raises(ArtefactError, match=r"unknown kind of index 'of-tomorrow'.*build it again"):
        load(tmp_path, VECTORS)


def test_a_metric_that_a_kind_cannot_search_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINDS["lsh"], "metrics", ("cosine",))
    with pytest.raises(InvalidInput, match="an index of kind lsh searches by cosine, not by euclidean"):
        build(VECTORS, "lsh", metric="euclidean")
