"""Prototypes: a class has several looks, each the mean of some of its examples."""

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples, sums_of_classes
from nearkin.recognition.scorer import Fitted, Scorer, slope_and_offset
from nearkin.recognition.scorers._parts import Parts, own_scores
from nearkin.recognition.space import Space

# A look has this many examples, on average; a class of fewer has one look.
OF_A_LOOK = 4
# No more looks than this.
MOST_LOOKS = 4
_ROUNDS = 10


class Looks(Parts):
    """The means of the looks of each class."""

    def own_scores(self, examples: Examples, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        return own_scores(fit, self.space, examples, rows)

    def with_examples(self, examples: Examples, start: int) -> Fitted:
        changed = np.unique(examples.classes[start:][examples.member[start:]])
        anew = fit(examples.select(np.isin(examples.classes, changed)), self.space)
        kept = ~np.isin(self.classes, changed)
        order = np.argsort(np.concatenate([self.classes[kept], anew.classes]), kind="stable")
        both = zip(self.columns(), anew.columns(), strict=True)
        means, slopes, offsets, classes = (np.concatenate([one[kept], other])[order] for one, other in both)
        return Looks(self.space, means, slopes, offsets, classes, examples.count)


def fit(examples: Examples, space: Space) -> Looks:
    """Looks of all classes: k-means within each that has enough examples."""
    chosen = examples.select(examples.member)
    chosen = chosen.select(np.argsort(chosen.classes, kind="stable"))
    seen, weight = space.examples(chosen).astype(np.float32), space.weight(chosen)
    looks = np.zeros(len(chosen), np.int64)
    starts = np.unique(chosen.classes, return_index=True)[1]
    ends = np.append(starts[1:], len(chosen))
    for start, stop in zip(starts, ends, strict=True):
        wanted = min(MOST_LOOKS, (stop - start) // OF_A_LOOK)
        if wanted > 1:
            looks[start:stop] = _looks_of(seen[start:stop], int(wanted))
    ids, parts = np.unique(chosen.classes * MOST_LOOKS + looks, return_inverse=True)
    weights = np.bincount(parts, weight, minlength=len(ids))
    means = sums_of_classes(weight[:, None] * seen, parts, len(ids)) / np.maximum(weights, 1e-9)[:, None]
    slopes, offsets = slope_and_offset(weights, (means**2).sum(axis=1), space)
    return Looks(
        space,
        means.astype(np.float32),
        slopes.astype(np.float32),
        offsets.astype(np.float32),
        ids // MOST_LOOKS,
        examples.count,
    )


def _looks_of(seen: Float[np.ndarray, "n dim"], looks: int) -> Int[np.ndarray, " n"]:
    """k-means that starts from examples far from each other; the same examples give the same looks."""
    chosen = [int((seen @ seen.mean(axis=0)).argmin())]
    while len(chosen) < looks:
        chosen.append(int((seen @ seen[chosen].T).max(axis=1).argmin()))
    means, found = seen[chosen], np.zeros(len(seen), np.int64)
    for _ in range(_ROUNDS):
        # Means of unit vectors are shorter where they are of several; so distances, not cosines.
        found = (seen @ means.T - (means**2).sum(axis=1) / 2).argmax(axis=1)
        sizes = np.bincount(found, minlength=looks)
        sums = (found == np.arange(looks)[:, None]).astype(seen.dtype) @ seen
        means = np.where((sizes > 0)[:, None], sums / np.maximum(sizes, 1)[:, None], means)
    return found


SCORER = Scorer("means of the looks of a class, where it has many examples", fit, Looks)
