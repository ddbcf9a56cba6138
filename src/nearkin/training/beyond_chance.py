"""Whether other weights are better for the held-out classes by more than chance.

Held-out classes are few. Whoever takes the best of many candidates by them takes the luckiest, which is often no better
than the first, and sometimes worse, on yet other classes. So candidates stand in the order of how much they change, and
one is preferred to those before it only if it is better by more than a standard error.

Source: Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3 (the one-standard-error rule).
"""

import numpy as np
from jaxtyping import Float, Int

from nearkin.evaluation.metrics.retrieval import score_queries

METRICS = ("recall@1", "map@r")


def is_better(
    new: Float[np.ndarray, "n dim"], old: Float[np.ndarray, "n other"], labels: Int[np.ndarray, " n"]
) -> bool:
    """Whether the mean of recall@1 and MAP@R rises by more than its standard error, which is that over classes.

    Args:
        new, old: embeddings of the same pictures.
        labels: their class ids. With fewer than two classes of two pictures nothing is better.

    Example:
        >>> ids = np.array([0, 0, 1, 1, 2, 2])
        >>> told_apart, mixed = np.eye(3)[ids], np.eye(3)[[0, 1, 2, 0, 1, 2]]
        >>> is_better(told_apart, mixed, ids), is_better(told_apart, told_apart, ids)
        (True, False)
    """
    after, before = (score_queries(vectors, labels, ks=[1]) for vectors in (new, old))
    gain = np.mean([after.values[metric] - before.values[metric] for metric in METRICS], axis=0)
    classes, group = np.unique(after.labels, return_inverse=True)
    if len(classes) < 2:
        return False
    of_class = np.bincount(group, gain - gain.mean())
    error = np.sqrt(np.square(of_class).sum() * len(classes) / (len(classes) - 1)) / len(gain)
    return bool(gain.mean() > error)
