"""Cross-modal retrieval: pictures by their texts, and texts by their pictures."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from nearkin.errors import InvalidInput
from nearkin.evaluation.metrics.cross_modal import cross_modal_by_chance, score_cross_modal
from nearkin.evaluation.protocol import Embeddings, GroundTruth, NoOptions, Outcome, Protocol


def why_not_unasked(truth: GroundTruth, options: NoOptions) -> str | None:
    """Runs where there are texts."""
    return None if truth.image_of_text is not None and len(truth.image_of_text) else "there are no texts"


def run(models: Sequence[Embeddings], truth: GroundTruth, options: NoOptions, seed: int) -> Outcome:
    """Both ways, for those that embed texts."""
    owners = truth.image_of_text
    if owners is None or not len(owners):
        raise InvalidInput("there are no texts: cross-modal retrieval needs pictures with captions")
    words = truth.text_ids
    estimates = [
        {} if one.texts is None else score_cross_modal(one.images, one.texts, owners, text_ids=words) for one in models
    ]
    chance = partial(cross_modal_by_chance, owners, images=len(models[0].images), text_ids=words)
    return Outcome(estimates, chance, {"texts": len(owners)}, _about_texts(truth))


def _about_texts(truth: GroundTruth) -> tuple[str, ...]:
    """A note if several pictures have the same words."""
    if truth.text_ids is None or truth.image_of_text is None:
        return ()
    pairs = np.unique(np.stack([truth.text_ids, truth.image_of_text]), axis=1)
    words, pictures = np.unique(pairs[0], return_counts=True)
    shared = int(np.isin(truth.text_ids, words[pictures > 1]).sum())
    if not shared:
        return ()
    total = len(truth.text_ids)
    return (f"{shared:,} of {total:,} texts are also those of another picture; any picture with the words is right.",)


PROTOCOL = Protocol(
    summary="text to picture and picture to text, as for Flickr30K and COCO: the best-ranked of a picture's texts "
    "counts, and equal texts are equally right",
    metrics="recall@k both ways, median rank",
    order=50,
    headline=("text_to_image/recall@1", "text_to_image/recall@5", "image_to_text/recall@1"),
    why_not_unasked=why_not_unasked,
    run=run,
    quick=True,
)
