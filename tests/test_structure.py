"""Imports point only up the list of layers; the facade's names are pinned; starting is fast."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nearkin

SOURCE = Path(nearkin.__file__).parent
LAYERS = (
    "errors",
    "wording",
    "serialise",
    "arrays",
    "arrow",
    "progress",
    "files",
    "registry",
    "intervals",
    "similarity",
    "data",
    "calibration",
    "recognition",
    "encoders",
    "losses",
    "evaluation",
    "report",
    "training",
    "gallery",
    "tasks",
    "cli",
)
FACADE = ("__init__", "__main__")


def imported_layers(path: Path) -> set[str]:
    """Layers that a file names in its imports, wherever in the file they stand."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = (module.split(".") for module in modules)
    return {part[1] for part in parts if part[0] == "nearkin" and len(part) > 1 and part[1] in LAYERS}


def layer_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_only_up_the_layers(path: Path) -> None:
    layer = layer_of(path)
    if layer in FACADE:
        return
    allowed = LAYERS[: LAYERS.index(layer) + 1]
    assert imported_layers(path) <= set(allowed)


def test_the_layer_check_sees_imports_inside_functions(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from nearkin.cli import main\n    import nearkin.tasks.evaluate\n")
    assert imported_layers(file) == {"cli", "tasks"}


def test_no_cycles_within_a_layer() -> None:
    graph = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(("nearkin", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
        nodes = [
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)
        ]
        graph[name] = {node.module for node in nodes if str(node.module).startswith("nearkin.")}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"cycle: {' -> '.join((*above, module))}"
        if module not in done:
            for imported in graph.get(module, ()):
                visit(imported, (*above, module))
            done.add(module)

    for module in graph:
        if module not in ("nearkin", "nearkin.__main__"):
            visit(module, ())


ARCHITECTURE = SOURCE.parent.parent / "docs" / "architecture.md"
# What somebody who knows the subject looks for.
TERMS = (
    "contrastive", "triplet", "center", "softmax", "sphereface", "cosface", "arcface", "siamese", "multimodal",
    "distance", "cosine", "nearest neighbour", "hashing", "lsh", "one-shot", "few-shot", "verification", "calibration",
    "threshold", "false accept rate", "retrieval", "recall@k", "clustering", "semantic search", "confidence interval",
)  # fmt: skip


def _rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the page."""
    section = ARCHITECTURE.read_text(encoding="utf-8").split(f"{heading}\n", 1)[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]


def test_the_page_of_the_architecture_lists_the_layers() -> None:
    named = [name.rstrip("/") for row in _rows("# Architecture") for name in re.findall(r"`([\w/]+)`", row[0])]
    assert tuple(named) == LAYERS


@pytest.mark.parametrize("term", TERMS)
def test_terms_of_the_field_lead_to_a_file(term: str) -> None:
    found = [name for row in _rows("## Where is ...?") if term in row[0].lower() for name in _paths(row[1])]
    assert found
    assert all((SOURCE / name).exists() for name in found), found


def _paths(cell: str) -> list[str]:
    return re.findall(r"`([\w/]+(?:/|\.py))`", cell)


def test_what_can_be_added_has_a_folder() -> None:
    for _, file, *_ in _rows("## Adding one thing is adding one file"):
        folder = SOURCE / file.strip("`").removesuffix("NAME.py")
        assert any(path.stem not in ("__init__", "NAME") for path in folder.glob("*.py")), folder


def test_public_names() -> None:
    assert sorted(nearkin.__all__) == [
        "Calibration",
        "Encoder",
        "Gallery",
        "Hit",
        "Hits",
        "Item",
        "Items",
        "NearkinError",
        "Report",
        "TrainSettings",
        "Verdict",
        "__version__",
        "calibrate",
        "cluster",
        "compare",
        "embed",
        "errors",
        "evaluate",
        "evaluation",
        "losses",
        "read_items",
        "read_vectors",
        "similarity",
        "train",
    ]
    for name in nearkin.__all__:
        assert getattr(nearkin, name) is not None
    with pytest.raises(AttributeError, match="attribute trian"):
        _ = nearkin.trian


@pytest.mark.parametrize("command", [["-c", "import nearkin"], ["-m", "nearkin", "--help"]], ids=["import", "help"])
def test_starting_loads_no_heavy_package(command: list[str]) -> None:
    heavy = ("torch", "numpy", "lightning", "timm", "lance", "pyarrow", "matplotlib", "PIL")
    ran = subprocess.run([sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in ran.stderr.splitlines()}
    assert not loaded & set(heavy)
