import json
from pathlib import Path

import numpy as np
import pytest

from nearkin.cli.commands.embed import embed
from nearkin.cli.commands.index import index
from nearkin.errors import ArtefactError, EncoderMismatch, InvalidInput, PictureError, SourceError
from nearkin.gallery.gallery import Gallery
from tests.cli.test_index_search import make_encoder, run
from tests.fakes import draw_noise


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_encoder(0).save_pretrained(tmp_path / "model")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    draw_noise(tmp_path / "data" / "cat", range(3))
    draw_noise(tmp_path / "data" / "dog", range(3, 5))
    return tmp_path / "data"


def test_a_file_goes_into_a_gallery_which_is_the_one_that_index_makes(model: Path, data: Path, tmp_path: Path) -> None:
    done = run(embed, model, data, "--out", tmp_path / "v.parquet")
    assert done.stdout.startswith(f"{tmp_path / 'v.parquet'}: 5 vectors of dimension 8")
    assert f"next: nearkin index {model} GALLERY --vectors" in done.stderr
    assert "5 added" in run(index, model, tmp_path / "taken", "--vectors", tmp_path / "v.parquet").stdout
    run(index, model, data, tmp_path / "indexed")
    taken, indexed = (Gallery.open(tmp_path / name) for name in ("taken", "indexed"))
    for one, other in zip(taken.search(data / "dog" / "4.png"), indexed.search(data / "dog" / "4.png"), strict=True):
        assert (one.uri, one.label) == (other.uri, other.label)
        assert one.score == pytest.approx(other.score, abs=1e-6)
    assert "5 unchanged" in run(index, model, data, tmp_path / "taken").stdout


def test_a_pipe_gets_a_row_a_line(model: Path, data: Path) -> None:
    (data / "cat" / "broken.png").write_bytes(b"")
    done = run(embed, model, data)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(row["path"]).name, row["label"]) for row in rows] == [
        *((f"{n}.png", "cat") for n in range(3)),
        *((f"{n}.png", "dog") for n in (3, 4)),
    ]
    np.testing.assert_allclose(np.linalg.norm([row["vector"] for row in rows], axis=1), 1, atol=1e-6)
    assert done.exit_code == 1
    assert "broken.png" in done.stderr


def test_texts(model: Path, tmp_path: Path) -> None:
    done = run(embed, model, "--text", "red heart", "--text", "сердце", "--out", tmp_path / "t.npy", "--json")
    assert json.loads(done.stdout) == {
        "out": str(tmp_path / "t.npy"),
        "embedded": 2,
        "dim": 8,
        "resumed": 0,
        "skipped": [],
    }
    assert np.load(tmp_path / "t.npy").shape == (2, 8)
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines() == ["text", "red heart", "сердце"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["MODEL"], InvalidInput, "expected MODEL DATA, or MODEL with --text"),
        (["MODEL", "DATA", "--text", "red"], InvalidInput, "expected MODEL DATA, or MODEL with --text"),
        (["MODEL", "--text", " "], InvalidInput, "text 1 is empty"),
        (["MODEL", "--text", "red", "--captions"], InvalidInput, "--captions embeds those of DATA"),
        (["MODEL", "DATA", "--json"], InvalidInput, "name a file with --out"),
        (["MODEL", "DATA", "--out", "v.txt"], InvalidInput, r"--out 'v.txt': expected a name that ends in \.parquet"),
        (["MODEL", "nowhere"], SourceError, "no such file or folder"),
        (["nothing", "DATA"], ArtefactError, "no model at 'nothing'"),
        (["DATA", "MODEL"], InvalidInput, "MODEL comes first, then DATA"),
    ],
)
def test_a_mistake_is_named(
    arguments: list[str], error: type[Exception], message: str, model: Path, data: Path
) -> None:
    with pytest.raises(error, match=message):
        run(embed, *({"MODEL": model, "DATA": data}.get(argument, argument) for argument in arguments))


def test_strict_stops_at_a_broken_picture(model: Path, data: Path, tmp_path: Path) -> None:
    (data / "cat" / "broken.png").write_bytes(b"")
    with pytest.raises(PictureError, match="broken"):
        run(embed, model, data, "--out", tmp_path / "v.csv", "--strict")
    assert not (tmp_path / "v.csv").exists()


def test_index_refuses_vectors_of_another_model(model: Path, data: Path, tmp_path: Path) -> None:
    run(embed, make_encoder(1).save_pretrained(tmp_path / "other"), data, "--out", tmp_path / "v.parquet")
    with pytest.raises(EncoderMismatch, match="the vectors come from encoder"):
        run(index, model, tmp_path / "gallery", "--vectors", tmp_path / "v.parquet")
    assert not (tmp_path / "gallery").exists()
    with pytest.raises(InvalidInput, match="MODEL GALLERY with --vectors"):
        run(index, model, data, tmp_path / "gallery", "--vectors", tmp_path / "v.parquet")
    with pytest.raises(InvalidInput, match="expected MODEL DATA GALLERY"):
        run(index, model, tmp_path / "gallery")
