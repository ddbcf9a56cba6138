"""Snapshots depend on the seed and on their number alone; what is there already is left as it is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from nearkin.data.sources import read_items
from nearkin.tasks.demo.snapshots import SIDE, VIEWS, snapshot, take_snapshots


@pytest.fixture
def drawn(tmp_path: Path) -> list[str]:
    """Two pictures with a transparent ground."""
    paths = []
    for name, colour in (("disc", "red"), ("ring", "blue")):
        picture = Image.new("RGBA", (72, 72))
        ImageDraw.Draw(picture).ellipse((8, 8, 64, 64), fill=colour if name == "disc" else None, outline=colour)
        picture.save(tmp_path / f"{name}.png")
        paths.append(str(tmp_path / f"{name}.png"))
    return paths


def test_a_snapshot_repeats_with_its_seed(drawn: list[str]) -> None:
    one, same, other = (np.asarray(snapshot(drawn[0], np.random.default_rng(seed))) for seed in (1, 1, 2))
    assert one.shape == (SIDE, SIDE, 3)
    assert (one == same).all()
    assert (one != other).any()


def test_an_interrupted_run_ends_as_a_whole_one(drawn: list[str], tmp_path: Path) -> None:
    whole = take_snapshots(tmp_path / "whole", drawn, ["a disc", "a ring: blue?"])
    items = read_items(whole)
    assert [*items.labels] == ["a disc"] * VIEWS + ["a ring: blue?"] * VIEWS
    take_snapshots(tmp_path / "cut", drawn[:1], ["a disc"])
    (tmp_path / "cut" / "a disc" / "3.jpg").write_bytes(b"half a picture")
    untouched = (tmp_path / "cut" / "a disc" / "2.jpg").stat().st_mtime_ns
    again = read_items(take_snapshots(tmp_path / "cut", drawn, ["a disc", "a ring: blue?"]))
    for ours, theirs in zip(again.uris, items.uris, strict=True):
        assert Path(ours).read_bytes() == Path(theirs).read_bytes()
    assert (tmp_path / "cut" / "a disc" / "2.jpg").stat().st_mtime_ns == untouched
