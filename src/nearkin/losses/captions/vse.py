"""VSE++: each picture against the hardest text that is not its own, and each text against the hardest picture."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import check_positive, full_precision
from nearkin.losses.engine.two_towers import Pairs, check_pairs


def vse_loss(
    images: Float[Tensor, "batch dim"],
    texts: Float[Tensor, "batch dim"],
    image_ids: Int[Tensor, " batch"] | None = None,
    text_ids: Int[Tensor, " batch"] | None = None,
    *,
    margin: float = 0.2,
) -> Float[Tensor, ""]:
    """Max-hinge triplet loss, the mean over all pairs (i, c) of

        L = max_c' max(0, alpha + s(i, c') - s(i, c)) + max_i' max(0, alpha + s(i', c) - s(i, c))

    with s the dot product, which is the cosine of unit vectors. Other pairs with the same picture or the same text
    are no negatives.

    Args:
        images: one row i per pair, of unit length as a rule.
        texts: one row c per pair, of unit length as a rule.
        image_ids: equal where two rows are pictures of one thing; all differ if None.
        text_ids: equal where two rows are the same text; all differ if None.
        margin: alpha > 0.

    Returns:
        A scalar >= 0; exactly 0 if there is no negative.

    Raises:
        InvalidInput: shapes or lengths that differ, alpha <= 0, NaN in the embeddings.

    Example:
        >>> vse_loss(torch.eye(2), torch.eye(2), margin=1.5)
        tensor(1.)

    Source: Faghri et al. 2018, arXiv:1707.05612, eq. 6.
    """
    pairs = check_pairs(images, texts, image_ids, text_ids)
    margin = check_positive(margin, "margin")
    x, y = pairs.images, pairs.texts
    if not len(x):
        return x.sum()
    own = (x * y).sum(1)
    (texts_left, hardest_texts), (images_left, hardest_images) = _hardest(pairs)
    by_image = (margin + (x * y[hardest_texts]).sum(1) - own).relu()
    by_text = (margin + (x[hardest_images] * y).sum(1) - own).relu()
    return ((by_image * texts_left) + (by_text * images_left)).mean()


@torch.no_grad()
def _hardest(pairs: Pairs) -> list[tuple[Tensor, Tensor]]:
    """For each picture whether there is a wrong text, and the most alike; for each text the same of the pictures."""
    with full_precision(pairs.images.device):
        scores = (pairs.images @ pairs.texts.T).fill_diagonal_(-torch.inf)
    if pairs.alike is not None:
        scores.masked_fill_(pairs.alike, -torch.inf)
    return [(best.values.isfinite(), best.indices) for best in (scores.max(1), scores.max(0))]


LOSS = vse_loss
