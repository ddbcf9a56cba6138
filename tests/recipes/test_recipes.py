"""Recipes: settings that training takes, protocols that exist, figures on small data, and weights in order."""

import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from nearkin.data.items import Items, Picture
from nearkin.encoders.starts import STARTS
from nearkin.losses import build_loss
from nearkin.training.settings import TrainSettings
from tests.fakes import FakeEncoder, draw_noise

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.yaml")}


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The scripts of recipes/, which is no package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import judges
    import run
    import tables

    return {"judges": judges, "run": run, "tables": tables}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_is_complete(name: str, scripts: dict[str, ModuleType]) -> None:
    recipe = RECIPES[name]
    keys = {
        "data",
        "split",
        "judge",
        "figure",
        "expected",
        "band",
        "measured",
        "start" if "start" in recipe else "train",
    }
    assert keys <= set(recipe) <= {*keys, "label", "attributes", "baseline"}
    assert recipe["judge"]["protocol"] in scripts["judges"].JUDGES
    low, high = recipe["band"]
    assert 0 < low <= recipe["expected"] <= high <= 1
    if "start" in recipe:
        assert recipe["start"] in STARTS
        return
    settings = TrainSettings.checked(**recipe["train"])
    if settings.loss is not None:  # captions have a loss of their own
        build_loss(settings.loss, classes=2, dim=settings.dim, options=settings.loss_options)
    # An hour on two cores.
    assert settings.threads in (None, 1)
    assert (settings.minutes or recipe["measured"].get("seconds", 0) / 60) <= 120


def test_there_are_these() -> None:
    pictures, words = {"caltech101", "lfw", "faces", "omniglot", "emoji"}, {"emoji_words", "flickr8k", "flickr8k_gru"}
    assert set(RECIPES) == pictures | words | {"emoji_attributes", "tuxpaint"}


def noise_items(folder: Path, names: list[str]) -> Items:
    """One picture each, of noise that follows from the name."""
    paths = [draw_noise(folder / f"{number}", [number])[0] for number in range(len(names))]
    return Items.build([Picture(str(path)) for path in paths], labels=names)


def test_pairs_of_one_fold_are_judged(tmp_path: Path, scripts: dict[str, ModuleType]) -> None:
    """Two people of two pictures each; a person's pictures are the same noise but for Bo's second, which is Ann's."""
    pictures = []
    for name, number in (("Ann_Lee_0001", 1), ("Ann_Lee_0002", 1), ("Bo_Ek_0001", 2), ("Bo_Ek_0002", 1)):
        [drawn] = draw_noise(tmp_path / name, [number])
        pictures.append(Picture(str(drawn.rename(drawn.with_name(f"{name}.png")))))
    test = Items.build(pictures, labels=["Ann_Lee"] * 2 + ["Bo_Ek"] * 2)
    encoder = FakeEncoder()
    encoder.checked_calibration = lambda: SimpleNamespace(  # type: ignore[attr-defined]
        curve=SimpleNamespace(scores=[0.5, 0.999, 1.1], tar=[1.0, 0.9, 0.0], far=[0.8, 0.1, 0.0])
    )
    (tmp_path / "pairs.txt").write_text(
        "2 1\nAnn_Lee 1 2\nAnn_Lee 1 Bo_Ek 1\nBo_Ek 1 2\nAnn_Lee 2 Bo_Ek 1\n".replace(" ", "\t")
    )
    for fold, right in ((1, 1.0), (2, 0.5)):
        found, _ = scripts["judges"].judge_pairs(encoder, test, tmp_path, pairs="pairs.txt", fold=fold)
        assert found == right
    # Each fold at the threshold of the other: that of fold 2, whose scores are equal, accepts all.
    named = scripts["run"].with_splits(test, {"split": {"pairs": "pairs.txt"}}, tmp_path)
    assert (named.labels, named.splits) == (test.labels, ("test",) * 4)
    found, _ = scripts["judges"].judge_pairs(encoder, named, tmp_path, pairs="pairs.txt")
    assert found == 0.5


def test_a_start_is_judged_untrained(
    tmp_path: Path, scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Ann_0001", "Ann_0002", "Bo_0001", "Bo_0002"):
        [drawn] = draw_noise(tmp_path / "lfw" / name.partition("_")[0], [name < "B"])
        drawn.rename(drawn.with_name(f"{name}.png"))
    (tmp_path / "pairs.txt").write_text("2\t1\nAnn\t1\t2\nAnn\t1\tBo\t1\nBo\t1\t2\nAnn\t2\tBo\t2\n")
    recipe = RECIPES["faces"] | {"data": "lfw", "split": {"pairs": "pairs.txt"}, "band": [0.9, 1.0]}
    recipe["judge"] = recipe["judge"] | {"pairs": "pairs.txt"}
    monkeypatch.setattr(scripts["run"].nearkin.Encoder, "from_pretrained", lambda name: FakeEncoder())
    line, is_inside = scripts["run"].run("faces", recipe, tmp_path, tmp_path / "out")
    assert is_inside
    assert line.endswith("not trained")


def test_classes_are_judged_by_their_attributes(shapes: Path, tmp_path: Path, scripts: dict[str, ModuleType]) -> None:
    lines = ["id\tkeywords_en\tname"]
    lines += [
        f"{folder.name}\t{'|'.join(folder.name.split())}\t{number}"
        for number, folder in enumerate(sorted((shapes / "tree").iterdir()))
    ]
    shutil.copytree(shapes / "tree", tmp_path / "data" / "tree")
    (tmp_path / "data" / "tree" / "captions.tsv").write_text("\n".join(lines))
    recipe = {
        "data": "tree",
        "split": {"folds": 3},
        "attributes": "keywords_en",
        "train": {"backbone": "conv4", "dim": 8, "size": 32, "batch_size": 16, "epochs": 1, "threads": 1},
        "judge": {"protocol": "zero-shot", "metric": "attributes/unseen"},
        "figure": "by keywords",
        "expected": 0.3,
        "band": [0.0, 1.0],
    }
    line, is_inside = scripts["run"].run("shapes", recipe, tmp_path / "data", tmp_path / "out")
    assert is_inside
    assert "by keywords" in line


def test_a_figure_outside_of_its_band_is_told(
    shapes: Path, tmp_path: Path, scripts: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {
        "data": "tree",
        "split": {"folds": 3},
        "train": {"backbone": "conv4", "dim": 8, "size": 32, "batch_size": 16, "epochs": 1, "threads": 1},
        "judge": {"protocol": "retrieval", "metric": "recall@1"},
        "figure": "recall@1",
        "expected": 0.9,
        "band": [0.1, 1.0],
    }
    line, is_inside = scripts["run"].run("shapes", recipe, shapes, tmp_path)
    assert is_inside
    assert "inside of 10 to 100 %" in line
    # What is trained is only judged again.
    line, is_inside = scripts["run"].run("shapes", {**recipe, "band": [0.0, 0.01]}, shapes, tmp_path)
    assert not is_inside
    assert "OUTSIDE" in line


def test_people_of_a_fold_are_set_apart(tmp_path: Path, scripts: dict[str, ModuleType]) -> None:
    """Dee has one picture and is in no pair of the fold: it teaches nothing."""
    items = noise_items(tmp_path, ["Ann", "Ann", "Bo", "Bo", "Cy", "Dee"])
    (tmp_path / "pairs.txt").write_text("2\t1\nBo\t1\t2\nBo\t1\tCy\t1\nAnn\t1\t2\nAnn\t1\tCy\t1\n")
    found = scripts["run"].with_splits(items, {"split": {"pairs": "pairs.txt", "fold": 2}}, tmp_path)
    assert list(zip(found.labels, found.splits, strict=True)) == [
        ("Ann", "test"),
        ("Ann", "test"),
        ("Bo", None),
        ("Bo", None),
        ("Cy", "test"),
    ]


def test_emoji_of_several_vendors(tmp_path: Path, scripts: dict[str, ModuleType]) -> None:
    root = tmp_path / "emoji_ru_en"
    for vendor, name in (("google", "1f600"), ("twitter", "1f600"), ("google", "1f469-1f3fd")):
        (root / vendor).mkdir(parents=True, exist_ok=True)
        (root / vendor / f"{name}.png").touch()
    (root / "captions.tsv").write_text("id\tname_en\n1f600\tgrinning\n1f469-1f3fd\twoman\n")
    rows = list(scripts["tables"].emoji_rows(root))
    assert [(row["label"], row["vendor"], row["base"]) for row in rows] == [
        ("1f600", "google", "😀"),
        ("1f600", "twitter", "😀"),
        ("1f469-1f3fd", "google", "🧑"),
    ]
