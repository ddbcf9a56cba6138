"""Classes drawn as the scores take them: around a centre, pictures around their class."""

import numpy as np


def drawn(
    classes: int, each: int, *, seed: int = 0, dim: int = 32, noise: float = 1.0, centres: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors, their classes, and the centres of the classes."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, dim)) if centres is None else centres
    labels = np.repeat(np.arange(classes), each)
    vectors = centres[labels] + noise * generator.normal(size=(len(labels), dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels, centres
