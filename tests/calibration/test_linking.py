"""Which neighbours are linked, chosen on some classes, for others."""

import numpy as np

from nearkin.arrays import unit
from nearkin.calibration.decisions import Calibration
from nearkin.calibration.fit import fit_calibration
from nearkin.calibration.linking import choose_linking
from nearkin.similarity.clustering import cluster
from nearkin.similarity.clustering.engine.agreement import mean_f


def drawn(classes: int, each: int, seed: int, spread: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    vectors = generator.standard_normal((classes, 32))[labels] + spread * generator.standard_normal((len(labels), 32))
    return unit(vectors.astype(np.float32)), labels


def test_what_is_chosen_on_some_classes_sorts_others() -> None:
    linking = choose_linking(*drawn(30, 6, seed=0))
    vectors, labels = drawn(40, 6, seed=1)
    groups = cluster(vectors, linking=linking)
    alone = groups < 0
    groups = np.unique(np.where(alone, len(groups) + np.arange(len(groups)), groups), return_inverse=True)[1]
    assert mean_f(groups, labels) > 0.8


def test_a_calibration_holds_it_and_gives_it_back() -> None:
    vectors, labels = drawn(20, 5, seed=2)
    found = fit_calibration(vectors, labels, fingerprint="x")
    assert found.linking == choose_linking(vectors, labels)
    assert Calibration.from_dict(found.to_dict()).linking == found.linking


def test_a_calibration_made_before_has_none() -> None:
    vectors, labels = drawn(20, 5, seed=2)
    values = fit_calibration(vectors, labels, fingerprint="x").to_dict()
    del values["linking"]
    assert Calibration.from_dict(values).linking is None
