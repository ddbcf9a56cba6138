"""Adding one thing is adding one file: a copy of the package gets a file of each kind, and all of them work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nearkin

ADDED = {
    "losses/mean_score.py": '''
"""A loss of the test: the mean similarity of pictures of different classes."""


def mean_score_loss(embeddings, labels, *, weight=1.0):
    scores = embeddings @ embeddings.T
    return weight * scores[labels[:, None] != labels].sum() / max(1, len(labels) ** 2)


LOSS = mean_score_loss
''',
    "encoders/backbones/one_layer.py": '''
"""A network of the test: one convolution."""
from torch import nn


class OneLayer(nn.Conv2d):
    default_pooling = "avg"
    largest_size = 64

    def __init__(self, channels=3, width=8):
        super().__init__(channels, width, kernel_size=3, stride=2)


BACKBONE = OneLayer
''',
    "gallery/index/kinds/coarse_pq.py": '''
"""A kind of index of the test: product quantization in larger groups."""
from typing import ClassVar

from nearkin.gallery.index.kinds.pq import PqIndex


class CoarsePqIndex(PqIndex):
    """Product quantization in groups of 4.

    Source: as `PqIndex`.
    """

    kind: ClassVar[str] = "coarse-pq"
    when: ClassVar[str] = "in a test"
    in_auto: ClassVar[bool] = False
    settings: ClassVar[tuple[int, ...]] = (4,)


KIND = CoarsePqIndex
''',
    "evaluation/protocols/spread.py": '''
"""A protocol of the test: the mean similarity of two pictures."""
from nearkin.evaluation.protocol import Outcome, Protocol
from nearkin.intervals.paired_samples import Mean


def why_not_unasked(truth, options):
    return None


def run(models, truth, options, seed):
    found = [{"similarity": Mean((one.images @ one.images.T).mean(axis=1).clip(0, 1))} for one in models]
    return Outcome(found, dict, {"pictures": len(models[0].images)}, ())


PROTOCOL = Protocol(
    summary="how alike are two pictures?",
    metrics="mean similarity",
    order=90,
    headline=("similarity",),
    why_not_unasked=why_not_unasked,
    run=run,
)
''',
    "similarity/clustering/by_sign.py": '''
"""A clusterer of the test: by the sign of the first number."""
from nearkin.similarity.clustering.engine.clusterer import Clusterer

CLUSTERER = Clusterer("by sign", lambda task: (task.vectors[:, 0] < 0).astype(int))
''',
    "data/sources/lines.py": '''
"""A kind of source of the test: a text file with a picture's path on each line."""
from pathlib import Path

from nearkin.data.items import Items, Picture
from nearkin.data.sources._source import Source


def _read(source, columns):
    return Items.build([Picture(line) for line in Path(source).read_text().split()], source=str(source))


SOURCE = Source("a list (.lst)", lambda source: str(source).endswith(".lst"), _read, order=1)
''',
    "cli/commands/hello.py": '''
"""A command of the test."""
from typing import Annotated

import typer

SECTION, ORDER = "Test", 999


def hello(name: Annotated[str, typer.Argument(help="Whom to greet.")]) -> None:
    """Greet somebody."""
    print(f"hello {name}")
''',
}

USE = """
import numpy as np, torch
from pathlib import Path
from nearkin.cli import main
from nearkin.data.sources import read_items
from nearkin.encoders.backbones import BACKBONES
from nearkin.evaluation.protocols import PROTOCOLS
from nearkin.gallery.index import build
from nearkin.gallery.index.kinds import KINDS
from nearkin.losses import build_loss
from nearkin.similarity.clustering import cluster

assert build_loss("mean-score", classes=2, dim=2, options={"weight": 2.0})(torch.eye(2), torch.tensor([0, 1])) == 0
assert BACKBONES["one-layer"](3)(torch.zeros(1, 3, 9, 9)).shape == (1, 8, 4, 4)
assert "coarse-pq" in KINDS and "spread" in PROTOCOLS
vectors = np.random.default_rng(0).standard_normal((2000, 16)).astype(np.float32)
assert build(vectors, "coarse-pq", recall=0.9).kind == "coarse-pq"
assert cluster([[1, 0], [1, 1], [-1, 0], [-1, 1], [-1, 2]], "by-sign").tolist() == [1, 1, 0, 0, 0]
assert len(read_items("pictures.lst")) == 2
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(Path(nearkin.__file__).parent, root / "nearkin", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in ADDED.items():
        path = root / "nearkin" / name
        assert path.parent.is_dir(), f"{name}: no such package"
        assert not path.exists()
        path.write_text(text.lstrip(), encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(root)}


def run(environment: dict[str, str], folder: Path, *command: str) -> str:
    ran = subprocess.run([sys.executable, *command], env=environment, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


def test_one_file_of_each_kind_is_enough(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pictures.lst").write_text("a.png\nb.png\n")
    run(environment, tmp_path, "-c", USE)


def test_the_command_line_offers_them(environment: dict[str, str], shapes: Path, tmp_path: Path) -> None:
    assert run(environment, tmp_path, "-m", "nearkin", "hello", "you") == "hello you\n"
    assert "hello" in run(environment, tmp_path, "-m", "nearkin", "--help")
    assert "spread" in run(environment, tmp_path, "-m", "nearkin", "evaluate", "--help")
    assert "coarse-pq" in run(environment, tmp_path, "-m", "nearkin", "gallery", "build", "--help")
    train = ["train", str(shapes / "tree"), "--backbone", "one_layer", "--loss", "mean-score", "--epochs", "1"]
    run(environment, tmp_path, "-m", "nearkin", *train, "--size", "32", "--out", "run")
    judged = run(
        environment, tmp_path, "-m", "nearkin", "evaluate", "run", str(shapes / "tree"), "--protocol", "spread"
    )
    assert "similarity" in judged
