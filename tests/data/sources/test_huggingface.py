import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearkin.data.images import Preprocessing
from nearkin.data.pixel_cache import PixelCache
from nearkin.data.sources.huggingface import read_huggingface
from nearkin.errors import PictureError, SourceError, UnknownName

datasets = pytest.importorskip("datasets")


def rows(values: list[int], **columns: list[Any]) -> Any:
    """A dataset whose picture n is of grey n."""
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    data = {"image": [Image.new("L", (4, 4), value) for value in values], **columns}
    features = datasets.Features(
        {name: kinds.get(name.removeprefix("fine_"), datasets.Value("string")) for name in data}
    )
    return datasets.Dataset.from_dict(data, features=features)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    train = rows([1, 2, 3], label=[0, 1, -1], text=["one", "two", ""])
    test = rows([4], label=[1], text=["four"])
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(folder / "both")
    train.select([2, 0]).save_to_disk(folder / "some")
    datasets.DatasetDict({"train": train, "extra": test}).save_to_disk(folder / "odd")
    rows([1], fine_label=[1]).save_to_disk(folder / "fine")
    train.remove_columns("image").save_to_disk(folder / "none")
    return folder


def greys(source: str, store: Path) -> list[int]:
    cache = PixelCache.build(
        read_huggingface(source).pictures, Preprocessing(height=1, width=1, channels=1), store, strict=True
    )
    return cache.batch(np.arange(len(cache.rows))).ravel().tolist()


def test_all_splits(saved: Path, tmp_path: Path) -> None:
    name = str(saved / "both")
    items = read_huggingface(name)
    assert items.uris == tuple(f"hf://{name}/{position}" for position in ("train#0", "train#1", "train#2", "test#0"))
    assert items.labels == ("cat", "dog", None, "dog")
    assert items.captions == (("one",), ("two",), (), ("four",))
    assert items.splits == ("train", "train", "train", "test")
    assert greys(name, tmp_path) == [1, 2, 3, 4]
    assert read_huggingface(f"hf://{name}#all").uris == items.uris


def test_one_split(saved: Path, tmp_path: Path) -> None:
    name = f"hf://{saved / 'both'}#test"
    assert read_huggingface(name).splits == (None,)
    assert greys(name, tmp_path) == [4]
    with pytest.raises(UnknownName, match="unknown split 'tests'"):
        read_huggingface(f"{name}s")


def test_a_dataset_without_splits_and_with_chosen_rows(saved: Path, tmp_path: Path) -> None:
    items = read_huggingface(str(saved / "some"))
    assert (items.labels, items.splits) == ((None, "cat"), (None, None))
    assert greys(str(saved / "some"), tmp_path) == [3, 1]


def test_columns_can_be_chosen(saved: Path) -> None:
    items = read_huggingface(str(saved / "both"), label="text", captions=[])
    assert items.labels == ("one", "two", None, "four")
    assert items.metadata["label"] == ("cat", "dog", None, "dog")


def test_the_only_class_column_is_the_label(saved: Path) -> None:
    assert read_huggingface(str(saved / "fine")).labels == ("dog",)


def test_splits_of_other_names_must_be_chosen(saved: Path) -> None:
    with pytest.raises(SourceError, match=r"splits train, extra .* choose one, as in hf://.*#train"):
        read_huggingface(str(saved / "odd"))
    assert len(read_huggingface(f"hf://{saved / 'odd'}#extra")) == 1


def test_a_dataset_without_pictures(saved: Path) -> None:
    with pytest.raises(SourceError, match=r"no column of pictures \(type Image\): found label, text"):
        read_huggingface(str(saved / "none"))


def test_pictures_go_to_other_processes(saved: Path) -> None:
    picture = read_huggingface(str(saved / "both")).pictures[0]
    assert pickle.loads(pickle.dumps(picture)).read() == picture.read()


def test_pictures_by_path_and_missing_ones(tmp_path: Path) -> None:
    Image.new("L", (1, 1), 7).save(tmp_path / "7.png")
    kinds = datasets.Features({"image": datasets.Image()})
    made = datasets.Dataset.from_dict({"image": [str(tmp_path / "7.png"), None]}, features=kinds)
    made.save_to_disk(tmp_path / "saved")
    (tmp_path / "7.png").unlink()
    found, missing = read_huggingface(str(tmp_path / "saved")).pictures
    assert found.read().startswith(b"\x89PNG")
    with pytest.raises(PictureError, match="#1: this row holds no picture"):
        missing.read()


def test_what_cannot_be_loaded_says_why() -> None:
    program = "from nearkin.data.sources import read_items; read_items('hf://nobody/nothing')"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("nearkin.errors.SourceError: hf://nobody/nothing: ")
    assert "expected hf://owner/name as on the Hub" in last
