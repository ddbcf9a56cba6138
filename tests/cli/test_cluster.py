import csv
import json
from pathlib import Path

import pytest

from nearkin.cli.commands.cluster import cluster
from nearkin.cli.commands.index import index
from nearkin.errors import InvalidInput, UnknownName
from tests.cli.test_index_search import make_encoder, run
from tests.conftest import draw_groups_of_pictures


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_encoder(0).save_pretrained(tmp_path / "model")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return draw_groups_of_pictures(tmp_path / "data")


@pytest.fixture
def gallery(model: Path, data: Path, tmp_path: Path) -> Path:
    run(index, model, data, tmp_path / "gallery")
    return tmp_path / "gallery"


def test_a_gallery_in_groups_as_table_csv_sheets_and_column(gallery: Path, tmp_path: Path) -> None:
    out, sheets = tmp_path / "groups.csv", tmp_path / "sheets"
    shown = run(cluster, gallery, "-k", 3, "--out", out, "--sheet", sheets, "--write", "pile")
    assert "18 pictures: 3 groups, 0 pictures in none" in shown.stdout
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 18
    assert len({row["group"] for row in rows}) == 3
    assert sum(row["medoid"] == "1" for row in rows) == 3
    assert sorted(path.name for path in sheets.iterdir()) == ["group-0.png", "group-1.png", "group-2.png"]
    found = json.loads(run(cluster, gallery, "-k", 3, "--json").stdout)
    assert [group["id"] for group in found["groups"]] == [0, 1, 2]
    assert sum(len(group["members"]) for group in found["groups"]) == 18


def test_pictures_without_a_gallery(model: Path, data: Path, tmp_path: Path) -> None:
    found = json.loads(run(cluster, model, data, "-k", 3, "--json", "--sheet", tmp_path / "sheets").stdout)
    assert (found["method"], found["pictures"], len(found["groups"])) == ("communities", 18, 3)
    assert found["groups"][0]["uri"].endswith(".png")


def test_corrections(gallery: Path, data: Path) -> None:
    first = json.loads(run(cluster, gallery, "-k", 3, "--json").stdout)
    merged = run(cluster, gallery, "-k", 3, "--merge", 0, 1, "--json")
    assert "groups 0 and 1 are one from now on" in merged.stderr
    assert len(json.loads(merged.stdout)["groups"]) == 2
    undone = run(cluster, gallery, "-k", 3, "--undo", "--json")
    assert "taken back: merge 0 1" in undone.stderr
    assert len(json.loads(undone.stdout)["groups"]) == 3
    one, two = first["groups"][0]["members"][:2]
    parted = json.loads(run(cluster, gallery, "-k", 3, "--apart", f"#{one}", f"#{two}", "--json").stdout)
    assert not any({one, two} <= set(group["members"]) for group in parted["groups"])
    path = sorted(data.rglob("*.png"))[0]
    assert "stays out of its group" in run(cluster, gallery, "-k", 3, "--reject", path).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--merge", 0, 1, "--split", 2], "--merge and --split: one correction at a time"),
        (["--reject", "nowhere.png"], "'nowhere.png' is no picture of the gallery"),
        (["--out", "groups.txt"], "expected a name that ends in .csv"),
        (["-k", 19], "19 groups of 18 vectors"),
        (["--method", "k-means"], "k-means needs the number of groups"),
    ],
)
def test_mistakes(gallery: Path, arguments: list[object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        run(cluster, gallery, *arguments)


def test_what_is_for_galleries_only(model: Path, data: Path) -> None:
    with pytest.raises(InvalidInput, match="--write is for a gallery: make one with"):
        run(cluster, model, data, "--write", "pile")
    with pytest.raises(UnknownName, match="did you mean k-means"):
        run(cluster, model, data, "--method", "kmeans")
