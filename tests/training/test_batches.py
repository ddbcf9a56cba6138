"""Batches: which pictures and classes they hold, turned ones included."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from nearkin.data.images import Preprocessing
from nearkin.data.pixel_cache import PixelCache
from nearkin.data.sources import read_items
from nearkin.training.batches import Epoch, TrainingData


@pytest.fixture
def data(shapes: Path) -> TrainingData:
    items = read_items(shapes / "tree")
    cache = PixelCache.build(items.pictures, Preprocessing(32, 32))
    return TrainingData(items, cache, np.arange(len(items)), items.label_ids()[0], None)


def test_turned_pictures_are_classes_of_their_own(data: TrainingData) -> None:
    turned = dataclasses.replace(data, turns=4)
    assert (len(turned), turned.classes) == (4 * len(data), 4 * 12)
    upright = data.batch(np.array([5, 9]))
    for quarter in range(4):
        batch = turned.batch(np.array([5, 9]) + quarter * len(data))
        assert batch.labels.tolist() == [label + 12 * quarter for label in upright.labels.tolist()]
        np.testing.assert_array_equal(np.rot90(batch.pixels, -quarter, axes=(1, 2)), upright.pixels)


def test_an_epoch_of_turned_classes_and_groups(data: TrainingData) -> None:
    groups = tuple(label.split()[0] for label in data.items.labels)
    turned = dataclasses.replace(data, turns=4, groups=groups)
    seen = np.zeros(48, dtype=int)
    for batch in Epoch(turned, batch_size=24, per_class=2, seed=0):
        labels = batch.labels.numpy()
        assert len(np.unique(labels)) == 12
        assert len({data.items.label_ids()[1][label % 12].split()[0] for label in labels}) == 1
        seen += np.bincount(labels, minlength=48)
    assert (seen == 8).all()
