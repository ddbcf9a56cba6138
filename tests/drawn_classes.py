"""Simulated classes: vectors around a centre for each."""

import numpy as np


def draw_classes(classes, pictures, *, noise=0.8, dim=16, seed=0):
    """Vectors and class ids; `pictures` of each class, or a number for each."""
    generator = np.random.default_rng(seed)
    counts = np.broadcast_to(pictures, classes)
    ids = np.repeat(np.arange(classes), counts)
    centres = generator.normal(size=(classes, dim))
    return (centres[ids] + noise * generator.normal(size=(len(ids), dim))).astype(np.float32), ids


def draw_unbalanced(*, large=300, small=4, classes=60, seed=0):
    """Classes of which two are large and alike: what is counted decides what a false accept rate is."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, 16))
    centres[1] = centres[0] + 0.3 * generator.normal(size=16)
    ids = np.repeat(np.arange(classes), [large, large] + [small] * (classes - 2))
    return (centres[ids] + 0.6 * generator.normal(size=(len(ids), 16))).astype(np.float32), ids
