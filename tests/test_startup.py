"""What each command imports and writes: each runs in a process of its own, as a user types it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.gallery.gallery import Gallery

HEAVY = {
    "torch", "torchvision", "lightning", "timm", "sklearn", "scipy", "pandas", "matplotlib", "datasets", "transformers",
    "tokenizers", "huggingface_hub",
}  # fmt: skip
# All that a command on a gallery may load of other packages; what is new here costs every command its time.
OF_GALLERIES = {
    "PIL", "filelock", "jaxtyping", "lance", "lazy_loader", "numpy", "pyarrow", "safetensors", "typer",
    # Loaded by these: pydantic by typer, dateutil by pyarrow, cloudpickle by lance.
    "_distutils_hack", "annotated_doc", "annotated_types", "cloudpickle", "dateutil", "pydantic",
    "pydantic_core", "rich", "shellingham", "six", "tqdm", "typing_extensions", "typing_inspection", "yaml", "_yaml",
}  # fmt: skip

PROGRAM = """
import json, os, sys
from nearkin.cli import main
try:
    main(sys.argv[2:])
finally:
    used = os.times()
    folders = {
        name.partition(".")[0]
        for name, module in list(sys.modules.items())
        if "site-packages" in (getattr(module, "__file__", None) or "")
    }
    with open(sys.argv[1], "w") as file:
        json.dump({"seconds": used.user + used.system, "loaded": sorted(folders)}, file)
"""

LIGHT = {
    "info": ("gallery", "info", "gallery"),
    "info as JSON": ("gallery", "info", "gallery", "--json"),
    "get": ("gallery", "get", "gallery", "3"),
    "export": ("gallery", "export", "gallery", "out.parquet"),
    "delete": ("gallery", "delete", "gallery", "--id", "5", "--yes"),
    "search by id": ("search", "gallery", "#7"),
    "search by id, others": ("search", "gallery", "#7", "--others"),
    "search by vector": ("search", "gallery", "vector.npy"),
    "search with a filter": ("search", "gallery", "#7", "--where", "item_id < 9"),
    "rename": ("rename", "gallery", "Anna", "Anne"),
    "merge": ("merge", "gallery", "Bob", "Anna"),
    "forget": ("forget", "gallery", "Anna"),
    "undo": ("undo", "gallery"),
    "classes": ("classes", "gallery"),
    "classes, changes": ("classes", "gallery", "--changes", "--json"),
}
READING = ("classes", "classes, changes", "info", "info as JSON", "get", "export")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("startup")
    (folder / "photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(12):
        pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    encoder = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=32, width=32))
    gallery = Gallery.create(folder / "gallery", encoder)
    gallery.add(folder / "photos")
    gallery.search(7)
    gallery.enroll("Anna", items=[0], force=True)
    gallery.enroll("Bob", items=[1], force=True)
    np.save(folder / "vector.npy", generator.standard_normal(8))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


def run(folder: Path, *arguments: str, code: int = 0) -> tuple[set[str], str]:
    """Top-level names of the packages that a command loads, and what it prints on both streams."""
    measured = folder.parent / "measured.json"
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(measured), *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == code, ran.stderr
    return set(json.loads(measured.read_text())["loaded"]), ran.stdout + ran.stderr


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder, with size and time of its last change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.stat()
        found[str(path.relative_to(folder))] = (status.st_size if path.is_file() else 0, status.st_mtime_ns)
    return found


@pytest.mark.parametrize("command", LIGHT)
def test_what_embeds_nothing_loads_no_runtime(command: str, folder: Path) -> None:
    loaded, _ = run(folder, *LIGHT[command])
    assert not loaded & HEAVY
    filters = {"sqlglot", "mypy_extensions"} if "--where" in LIGHT[command] else set()
    assert {"lance", "numpy", "pyarrow"} <= loaded <= OF_GALLERIES | filters


def test_enrolling_items_loads_no_torch(folder: Path) -> None:
    loaded, _ = run(folder, "enroll", "gallery", "Carla", "--item", "3", "--force")
    assert not loaded & HEAVY


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("search", "--help"), ("gallery", "--help")])
def test_help_loads_no_arrays(arguments: tuple[str, ...], folder: Path) -> None:
    loaded, _ = run(folder, *arguments)
    assert not loaded & (HEAVY | {"numpy", "pyarrow", "lance", "PIL"})


@pytest.mark.parametrize("index_files", ["kept", "missing"])
@pytest.mark.parametrize("command", READING)
def test_reading_writes_nothing_into_the_gallery(command: str, index_files: str, folder: Path) -> None:
    if index_files == "missing":
        shutil.rmtree(folder / "gallery" / "derived")
    before = listing(folder / "gallery")
    run(folder, *LIGHT[command])
    assert listing(folder / "gallery") == before


def test_a_search_makes_the_index_that_is_missing(folder: Path) -> None:
    shutil.rmtree(folder / "gallery" / "derived")
    loaded, printed = run(folder, *LIGHT["search by id"])
    assert not loaded & HEAVY
    assert "7.png" in printed or "/photos/" in printed
    assert (folder / "gallery" / "derived").is_dir()


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "nope"),
        ("compare", "nope"),
        ("evaluate", "nope", "photos"),
        ("evaluate", "gallery", "nope"),
        ("calibrate", "nope", "photos"),
        ("index", "nope", "photos", "new"),
        ("index", "nope", "nowhere", "new"),
        ("verify", "nope", "photos/1.png", "photos/2.png"),
        ("reindex", "gallery", "--model", "nope"),
        ("reindex", "nope", "--model", "gallery"),
        ("search", "nope", "red"),
        ("search", "gallery", "nope.jpg"),
        ("gallery", "info", "nope"),
    ],
    ids=" ".join,
)
def test_a_wrong_path_is_said_before_torch_is_loaded(arguments: tuple[str, ...], folder: Path) -> None:
    loaded, printed = run(folder, *arguments, code=2)
    assert "torch" not in loaded
    assert "nope" in printed or "nowhere" in printed or "holds no model" in printed
    assert "Traceback" not in printed
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "photos", "--loss", "tripplet"), "unknown loss 'tripplet': did you mean triplet"),
        (("train", "photos", "--loss", "arcface+2*centre"), "unknown loss 'centre': did you mean center"),
        (("train", "photos", "--caption-loss", "sglip"), "unknown caption loss 'sglip': did you mean siglip"),
        (("compare", "photos", "--losses", "softmax,tripplet(margin=0.1)"), "unknown loss 'tripplet'"),
        (("index", "MODEL", "photos", "photos"), "photos' is not empty and is not a gallery: choose another folder"),
    ],
)
def test_a_wrong_name_is_said_before_torch_is_loaded(arguments: tuple[str, ...], said: str, folder: Path) -> None:
    [model] = (folder / "gallery" / "encoders").iterdir()
    loaded, printed = run(folder, *(str(model) if each == "MODEL" else each for each in arguments), code=2)
    assert "torch" not in loaded
    assert said in printed


def test_a_search_by_picture_loads_no_training(folder: Path) -> None:
    loaded, printed = run(folder, "search", "gallery", "photos/3.png")
    assert "3.png" in printed
    assert not loaded & {"torchvision", "lightning", "timm", "sklearn", "pandas", "matplotlib", "datasets"}


def test_others_leaves_out_the_query(folder: Path) -> None:
    _, printed = run(folder, "search", "gallery", "#7", "--others", "--json", "--quiet")
    ids = [hit["id"] for hit in json.loads(printed)[0]["hits"]]
    assert 7 not in ids
    assert len(ids) == 10
