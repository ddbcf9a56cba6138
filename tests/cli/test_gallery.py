import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from nearkin.cli.app import app
from nearkin.cli.commands.search import expanded
from nearkin.cli.output import print_facts
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from tests.cli.test_index_search import make_encoder
from tests.fakes import draw_noise


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    draw_noise(tmp_path / "data" / "cat", range(4))
    gallery = Gallery.create(tmp_path / "gallery", make_encoder(0))
    gallery.add(tmp_path / "data")
    return tmp_path / "gallery"


def run(*arguments: object) -> Result:
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def answer(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def test_look_change_and_export(gallery: Path, tmp_path: Path) -> None:
    facts = answer("gallery", "info", gallery)
    assert (facts["items"], facts["dim"], facts["columns"]["label"]) == (4, 8, "string")
    assert facts["index"]["kind"] == "exact"
    assert "items: 4" in run("gallery", "info", gallery).stdout
    changes = ("--set", "price=3.5", "--set", "label=mug", "--set", "captions=[a, b]")
    assert answer("gallery", "update", gallery, *changes, "--id", 1, "--id", 2, "--create")["updated"] == 2
    (item,) = json.loads(run("gallery", "get", gallery, 2).stdout)
    assert answer("gallery", "get", gallery, 2) == [item]
    assert (item["label"], item["captions"], item["metadata"]) == ("mug", ["a", "b"], {"folder": "cat", "price": 3.5})
    found = answer("search", gallery, "#2", "--where", "label = 'mug'", "--offset", 1)[0]["hits"]
    assert [hit["id"] for hit in found] == [1]
    assert "no hit" in run("search", gallery, "#2", "--threshold", 1.5).stderr
    assert answer("gallery", "delete", gallery, "--where", "price > 3", "--yes") == {
        "gallery": str(gallery), "deleted": 2, "items": 2,
    }  # fmt: skip
    out = tmp_path / "out.parquet"
    assert answer("gallery", "export", gallery, out, "--no-vectors")["written"] == 2
    assert pq.read_table(out).column_names == ["item_id", "uri", "label", "captions", "folder", "price"]
    built = answer("gallery", "build", gallery, "--kind", "exact")
    assert (built["exact"], built["recall"]) == (True, {"value": 1.0, "low": 1.0, "high": 1.0})


def test_figures_of_an_index_as_people_read_them(gallery: Path) -> None:
    assert "recall: 100 % (exact); items: 4; changed: 0.0 %" in run("gallery", "info", gallery).stdout
    vectors = np.random.default_rng(0).standard_normal((400, 8))
    Gallery.open(gallery).add_vectors([f"/{row}" for row in range(400)], vectors)
    shown = run("gallery", "build", gallery, "--kind", "lsh", "--recall", 0.9999)
    recall = Gallery.open(gallery).index.recall
    figures = [100 * end for end in (recall.value, recall.low, recall.high)]
    assert "recall: {:.1f} % [{:.1f}, {:.1f}]\n".format(*figures) in shown.stdout
    assert ("recall is below the 99.99 % asked for" in shown.stderr) == (recall.value < 0.9999)
    assert answer("gallery", "info", gallery)["index"]["recall"]["value"] == recall.value


def test_text_is_set_as_it_was_typed(gallery: Path) -> None:
    run("gallery", "update", gallery, "--set", "code=a", "--set", "price=1", "--id", 0, "--create")
    for typed, held in {"no": "no", "007": "007", "[x": "[x", "null": None, "": None}.items():
        run("gallery", "update", gallery, "--set", f"code={typed}", "--set", f"label={typed}", "--id", 0)
        (item,) = Gallery.open(gallery).get([0])
        assert (item.label, item.metadata["code"]) == (held, held)


def test_check_names_what_is_missing(gallery: Path, tmp_path: Path) -> None:
    missing = tmp_path / "data" / "cat" / "0.png"
    missing.unlink()
    assert answer("gallery", "check", gallery)["missing"] == [str(missing)]
    shown = run("gallery", "check", gallery)
    assert "sound: True" in shown.stdout
    assert f"missing: 1\n  {missing}" in shown.stdout
    assert f"next: nearkin gallery relink {gallery} --from OLD --to NEW" in shown.stderr


def test_long_lists_are_cut_for_people_and_whole_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{number}.png" for number in range(12)]
    print_facts({"missing": names})
    assert capsys.readouterr().out.splitlines()[-2:] == ["  9.png", "  and 2 more; --json lists all"]
    print_facts({"missing": names}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"missing": names}


@pytest.mark.parametrize("command", [("info",), ("build",), ("check",), ("versions",)])
def test_every_answer_ends_with_what_to_do_next(gallery: Path, command: tuple[str, ...]) -> None:
    shown = run("gallery", *command, gallery)
    assert shown.stderr.splitlines()[-1].startswith("next: nearkin ")
    assert "next:" not in run("gallery", *command, gallery, "--json").stderr


def test_reindex(gallery: Path, tmp_path: Path) -> None:
    model = make_encoder(1).save_pretrained(tmp_path / "new")
    shown = run("reindex", gallery, "--model", model)
    assert "4 items, now by encoder conv4-" in shown.stdout
    assert "nearest neighbours" in shown.stdout
    # The gallery's own copy is the new one.
    assert answer("search", gallery, tmp_path / "data" / "cat" / "3.png", "-k", 1)[0]["hits"][0]["score"] > 0.999
    back = make_encoder(0).save_pretrained(tmp_path / "old")
    assert answer("reindex", gallery, "--model", back)["items"] == 4


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("delete",), "which items"),
        (("delete", "--id", 99), "no item has the id 99"),
        (("delete", "--where", "label ="), "syntax error at position 8"),
        (("update", "--set", "label", "--id", 1), "expected COLUMN=VALUE"),
        (("update", "--set", "lable=x", "--id", 1), "did you mean label"),
        (("update", "--set", "captions=[x", "--id", 1), r"'captions=\[x': \[x is no value in YAML"),
        (("export", "out.csv"), "an export is a Parquet file"),
        (("build", "--kind", "fast"), "unknown kind of index"),
    ],
)
def test_bad_input(gallery: Path, arguments: tuple, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        run("gallery", arguments[0], gallery, *arguments[1:])


def test_honest_without_a_calibration(gallery: Path) -> None:
    with pytest.raises(InvalidInput, match="has no calibration"):
        run("search", gallery, "#1", "--honest")


def test_ten_thousand_words_are_one_query() -> None:
    words = "word " * 10_000
    assert expanded(words) == [words]
