"""What losses over pairs of a picture and a text share: their checks, and the sum over the matrix of scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses.engine.batch import check_embeddings, check_labels
from nearkin.losses.engine.closed_form import closed_form

# Scores of all pictures with all texts, which may be overwritten -> the loss, and its derivative by each score.
Loss = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Pairs:
    """A batch of pairs.

    Args:
        images: one row per pair, float32 or float64.
        texts: one row per pair, of the same type.
        alike: which other pairs show the same picture or have the same text, so that the text of the one is no wrong
            answer for the picture of the other; None if no two do.
    """

    images: Float[Tensor, "batch dim"]
    texts: Float[Tensor, "batch dim"]
    alike: Bool[Tensor, "batch batch"] | None


def check_pairs(images: Tensor, texts: Tensor, image_ids: Tensor | None, text_ids: Tensor | None) -> Pairs:
    """What a loss over pairs of pictures and texts is given, checked.

    Raises:
        InvalidInput: shapes or lengths that differ, ids that are no whole numbers, NaN in the embeddings.
    """
    images, texts = check_embeddings(images, "images"), check_embeddings(texts, "texts")
    if images.shape != texts.shape:
        raise InvalidInput(f"images are {tuple(images.shape)}, texts {tuple(texts.shape)}: expected one text per image")
    alike = None
    for name, ids in (("image_ids", image_ids), ("text_ids", text_ids)):
        if ids is not None:
            ids = check_labels(ids, len(images), name)
            same = (ids[:, None] == ids).fill_diagonal_(False)
            alike = same if alike is None else alike | same
    return Pairs(images, texts.to(images.dtype), alike)


def sum_over_scores(x: Float[Tensor, "batch dim"], y: Float[Tensor, "batch dim"], loss: Loss) -> Float[Tensor, ""]:
    """The loss of all dot products x_i . y_j, differentiable once: a scalar of the rows' type."""

    def formula(needed: Sequence[bool]) -> tuple[Tensor, list[Tensor | None]]:
        total, slope = loss(x @ y.T)
        return total, [slope @ y if needed[0] else None, slope.T @ x if needed[1] else None]

    return closed_form(formula, x, y)
