"""Nearest neighbours: a class is each of its examples, and a picture is of it if it is near some of them."""

import numpy as np
from jaxtyping import Float, Int

from nearkin.recognition.examples import Examples
from nearkin.recognition.scorer import Fitted, Scorer, slope_and_offset
from nearkin.recognition.scorers._parts import Parts, own_scores
from nearkin.recognition.space import Space


class Neighbours(Parts):
    """Each example is a part of its class."""

    def own_scores(self, examples: Examples, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        return own_scores(fit, self.space, examples, rows)

    def with_examples(self, examples: Examples, start: int) -> Fitted:
        added = fit(examples.select(np.arange(start, len(examples))), self.space)
        places = np.searchsorted(self.classes, added.classes, side="right")
        both = zip(self.columns(), added.columns(), strict=True)
        means, slopes, offsets, classes = (np.insert(one, places, other, axis=0) for one, other in both)
        return Neighbours(self.space, means, slopes, offsets, classes, examples.count)


def fit(examples: Examples, space: Space) -> Neighbours:
    """Examples of all classes."""
    chosen = examples.select(examples.member)
    order = np.argsort(chosen.classes, kind="stable")
    seen, weight = space.examples(chosen)[order].astype(np.float32), space.weight(chosen)[order]
    slopes, offsets = slope_and_offset(weight, np.ones(len(order)), space)
    return Neighbours(
        space, seen, slopes.astype(np.float32), offsets.astype(np.float32), chosen.classes[order], examples.count
    )


SCORER = Scorer("likeness to each example of a class, of which the nearest count most (k-NN)", fit, Neighbours)
