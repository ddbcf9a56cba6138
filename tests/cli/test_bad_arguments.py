"""Any argument of any command replaced by nonsense: the command works, or says in one line why it does not."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from nearkin.calibration.fit import fit_calibration
from nearkin.cli import main
from nearkin.cli.app import app
from nearkin.data.captions import train_tokenizer
from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.texts._recurrent import TextTower, TextTowerConfig
from tests.fakes import draw_noise

# Commands that work, in a folder as the fixture `ready` makes it.
COMMANDS = [
    "train data --out OUT --backbone conv4 --size 16 --epochs 0",
    "compare data --out OUT --losses softmax --seeds 0",
    "starts lite0",
    "evaluate model data --split all --protocol retrieval --seed 0 --report out.html",
    "index model data OUT",
    "reindex gallery --model other --data data",
    "search gallery data/a/0.png -k 2 --threshold 0.1 --offset 1 --where id>0 --far 0.1 --sheet out.png",
    "gallery info gallery",
    "gallery build gallery --kind hnsw --recall 0.9",
    "gallery get gallery 1",
    "gallery hashes gallery 1",
    "gallery buckets gallery --bits 2",
    "gallery delete gallery --id 1",
    "gallery update gallery --set label=x --id 1",
    "gallery versions gallery",
    "gallery restore gallery --version 2",
    "gallery relink gallery --from data --to moved",
    "gallery prune gallery --below data",
    "gallery export gallery out.parquet --where id>0",
    "gallery check gallery",
    "calibrate model data --out OUT --prior 0.5 --method logistic --seed 0 --plot out.svg",
    "verify model data/a/0.png data/b/0.png --far 0.1 --prior 0.5",
    "verify model --pairs pairs.csv --root data --out out.csv",
    "demo --out OUT --steps 1 --threads 1",
    "embed model data --out out.parquet",
    "detect faces data --out out.csv --crops OUT --confidence 0.5",
    "cluster gallery --method k-means -k 2 --where id>0 --out groups.csv --sheet OUT --write group --seed 0",
    "enroll gallery cat data/a/1.png --text heart",
    "recognize gallery data/a/1.png --fpir 0.5 -k 2 --strangers data --scorer prototype --sheet out.png",
    "reject gallery data/a/1.png a",
    "ignore gallery data/a/1.png",
    "classes gallery",
    "rename gallery a c",
    "merge gallery a b",
    "forget gallery a",
    "undo gallery 1",
]

NAMES = [
    "missing",
    "text.txt",
    "empty-folder",
    "empty.csv",
    "",
    " ",
    "model",
    "gallery",
    "data",
    "\udcff.png",
    "x" * 300,
]
NUMBERS = ["-1", "0", "1000000000000", "nan", "inf", "1e-300", "one"]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ready")
    for number, name in enumerate("ab"):
        draw_noise(folder / "data" / name, range(3 * number, 3 * number + 3))
    shutil.copytree(folder / "data", folder / "moved")
    (folder / "text.txt").write_text("no picture\n")
    (folder / "empty.csv").touch()
    (folder / "empty-folder").mkdir()
    (folder / "pairs.csv").write_text("a,b\na/0.png,b/3.png\n")
    for seed, name in enumerate(("model", "other")):
        torch.manual_seed(seed)
        tokenizer = train_tokenizer(["red heart"])
        text = TextTower(TextTowerConfig(tokenizer.get_vocab_size(), dim=8, width=16))
        tower = ImageTower(ImageTowerConfig("conv4", dim=8))
        encoder = Encoder(tower, Preprocessing(height=16, width=16), text, tokenizer)
        vectors = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        encoder.calibration = fit_calibration(
            vectors, np.repeat(np.arange(20), 3), fingerprint=encoder.fingerprint, source="noise"
        )
        encoder.save_pretrained(folder / name)
    assert run(["index", str(folder / "model"), str(folder / "data"), str(folder / "gallery")]) == 0
    assert run(["enroll", str(folder / "gallery"), "--from-column", "label", "--force"]) == 0
    return folder


def run(words: list[str]) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    return int(stopped.value.code or 0)


def changed(command: str) -> Iterator[list[str]]:
    """The command with each of its arguments replaced in turn."""
    words = command.split()
    start = 2 if words[0] == "gallery" else 1
    for position in range(start, len(words)):
        if words[position].startswith("-"):
            continue
        for other in [*NAMES, *NUMBERS]:
            yield [*words[:position], other, *words[position + 1 :]]


def test_every_command_is_tried() -> None:
    every = typer.main.get_command(app)
    gallery = every.get_command(None, "gallery")  # type: ignore[attr-defined]
    names = {(name,) for name in every.list_commands(None) if name != "gallery"}  # type: ignore[attr-defined]
    names |= {("gallery", name) for name in gallery.list_commands(None)}
    tried = {tuple(command.split()[: 2 if command.startswith("gallery") else 1]) for command in COMMANDS}
    assert names == tried


@pytest.mark.parametrize("command", COMMANDS)
def test_nonsense_is_refused_in_one_line(
    command: str, ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # The demo's steps are tried in test_demo.py.
    monkeypatch.setattr("nearkin.tasks.demo.steps.STEPS", ())
    faults = []
    for words in changed(command):
        for name in ready.iterdir():
            copy = tmp_path / name.name
            if not copy.exists():
                (shutil.copytree if name.is_dir() else shutil.copy)(name, copy)
        code = run(words)
        answer, said = capsys.readouterr()
        lines = [line for line in said.splitlines() if line.startswith("nearkin: ")]
        # Which picture could not be read, or shows no face.
        named = "skipped " in said or "  refused  " in answer or "no face found in " in said
        if code not in (0, 2, *([1] if named else [])) or (code == 2 and len(lines) != 1 and "Usage:" not in said):
            faults.append(f"{' '.join(map(repr, words))}: exit code {code}: {said[-600:]}")
    assert not faults, "\n\n".join(faults)
