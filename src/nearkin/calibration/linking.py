"""Which neighbours are linked when pictures are sorted into groups: chosen on labelled pictures of other classes."""

from itertools import product

import numpy as np
from jaxtyping import Float, Int

from nearkin.similarity.clustering.engine.agreement import mean_f
from nearkin.similarity.clustering.engine.linking import STRICTNESS, Candidates, Linking
from nearkin.similarity.clustering.engine.map_equation import map_equation_groups

POWERS = (0.0, 0.5, 0.75)
NEAREST = (6, 10, 20, 30)
# Classes are left out, at random, where there are more pictures than these.
_MOST = 10_000


def choose_linking(vectors: Float[np.ndarray, "n dim"], labels: Int[np.ndarray, " n"], *, seed: int = 0) -> Linking:
    """The linking with which groups agree best with classes, by the mean of pairwise and BCubed F.

    Args:
        vectors: unit vectors, float32.
        labels: class ids, 0, 1, ...
        seed: random seed.
    """
    order = np.random.default_rng(seed).permutation(int(labels.max()) + 1)
    sizes = np.bincount(labels)[order]
    kept = np.isin(labels, order[: max(1, int(np.searchsorted(np.cumsum(sizes), _MOST, side="right")))])
    vectors, labels = vectors[kept], np.unique(labels[kept], return_inverse=True)[1]
    found: dict[Linking, float] = {}
    for power in POWERS:
        candidates = Candidates.of(vectors, np.ones(len(vectors)), Linking(power, max(NEAREST), None), seed=seed)
        for nearest, strictness in product(NEAREST, (None, *STRICTNESS)):
            groups = map_equation_groups(*candidates.linked(strictness, nearest), len(vectors), seed=seed)
            found[Linking(power, nearest, strictness)] = mean_f(groups, labels)
    return max(found, key=found.__getitem__)
