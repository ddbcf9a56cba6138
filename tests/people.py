"""Simulated people: vectors around a centre for each."""

import numpy as np


def draw_people(people, pictures, *, noise=0.8, dim=16, seed=0):
    """Vectors and class ids; `pictures` of each, or a number for each."""
    generator = np.random.default_rng(seed)
    counts = np.broadcast_to(pictures, people)
    ids = np.repeat(np.arange(people), counts)
    centres = generator.normal(size=(people, dim))
    return (centres[ids] + noise * generator.normal(size=(len(ids), dim))).astype(np.float32), ids
