"""The checks that a batch passes at the door of every loss, and the ways to bring its terms to one number."""

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.errors import InvalidInput, UnknownName

Reduction = Literal["mean_nonzero", "mean_all", "sum"]
REDUCTIONS = get_args(Reduction)


def check_embeddings(embeddings: Tensor, name: str = "embeddings") -> Tensor:
    """The embeddings, at least in float32: losses subtract numbers that are nearly equal.

    Raises:
        InvalidInput: not `[n, dim]`, not floating-point numbers, or rows with NaN or infinity.
    """
    if embeddings.ndim != 2 or not embeddings.is_floating_point():
        raise InvalidInput(
            f"{name}: expected floating-point numbers [n, dim], got {embeddings.dtype} of shape "
            f"{tuple(embeddings.shape)}"
        )
    # One sum shows whether to look closer.
    if not embeddings.detach().sum().isfinite():
        bad = torch.nonzero(~torch.isfinite(embeddings.detach()).all(1)).flatten()
        if len(bad):
            raise InvalidInput(
                f"{name}: {len(bad)} of {len(embeddings)} rows hold NaN or infinity, the first is row {bad[0]}"
            )
    return embeddings if embeddings.dtype == torch.float64 else embeddings.float()


def check_labels(labels: Tensor, count: int, name: str = "labels") -> Tensor:
    """The labels as int64, one for each of `count` embeddings.

    Raises:
        InvalidInput: not whole numbers `[n]`, or another length.
    """
    if labels.ndim != 1 or labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise InvalidInput(f"{name}: expected whole numbers [n], got {labels.dtype} of shape {tuple(labels.shape)}")
    if len(labels) != count:
        raise InvalidInput(f"{name}: {len(labels)} given for {count} embeddings")
    return labels.long()


def check_classes(labels: Tensor, count: int, classes: int) -> Tensor:
    """The labels as int64, one for each of `count` embeddings, each the number of one of the classes.

    Raises:
        InvalidInput: as `check_labels` does; or a label below 0, or not below `classes`.
    """
    labels = check_labels(labels, count)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise InvalidInput(
            f"labels: expected class numbers 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}: "
            "number the classes from 0, and give the loss as many as there are"
        )
    return labels


def check_between(value: object, name: str, least: float | int, most: float | int) -> float:
    """The number, if it is one of `least` to `most`.

    Raises:
        InvalidInput: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise InvalidInput(f"{name} is {value!r}, expected a number from {least:g} to {most:g}")
    return float(value)


def check_positive(value: object, name: str) -> float:
    """The number, if it is finite and above 0.

    Raises:
        InvalidInput: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise InvalidInput(f"{name} is {value!r}, expected a number above 0")
    return float(value)


def check_finite(value: object, name: str) -> float:
    """The number, if it is finite.

    Raises:
        InvalidInput: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidInput(f"{name} is {value!r}, expected a finite number")
    return float(value)


def check_margin(value: object) -> float | Literal["soft"]:
    """The margin, if it is a number above 0 or "soft".

    Raises:
        InvalidInput: it is neither.
    """
    if value == "soft":
        return "soft"
    if isinstance(value, str):
        raise InvalidInput(f"margin is {value!r}, expected a number above 0 or 'soft'")
    return check_positive(value, "margin")


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Switches autocast off: in bfloat16 a score of 100 is known to half a unit, and a loss needs the rest."""
    return torch.autocast(device.type, enabled=False)


@dataclass(frozen=True)
class Comparison:
    """What is compared with what: the anchors of a batch with each other, or with a reference set.

    Args:
        anchors: the batch, float32 or float64.
        labels: its class ids.
        references: what the anchors are compared with.
        ref_labels: their class ids.
        within: whether the references are the anchors themselves, so that no row is its own positive.
    """

    anchors: Float[Tensor, "a dim"]
    labels: Int[Tensor, " a"]
    references: Float[Tensor, "r dim"]
    ref_labels: Int[Tensor, " r"]
    within: bool


def check_batch(
    embeddings: Tensor, labels: Tensor, ref_embeddings: Tensor | None = None, ref_labels: Tensor | None = None
) -> Comparison:
    """What a loss over pairs is given, checked.

    Raises:
        InvalidInput: as `check_embeddings` and `check_labels` do; or references without labels, labels without
            references, or references of another width.
    """
    anchors = check_embeddings(embeddings)
    labels = check_labels(labels, len(anchors))
    if ref_embeddings is None and ref_labels is None:
        return Comparison(anchors, labels, anchors, labels, within=True)
    if ref_embeddings is None or ref_labels is None:
        raise InvalidInput("a reference set needs both: ref_embeddings and ref_labels")
    references = check_embeddings(ref_embeddings, "ref_embeddings").to(anchors.dtype)
    if references.shape[1] != anchors.shape[1]:
        raise InvalidInput(f"ref_embeddings have {references.shape[1]} numbers, embeddings {anchors.shape[1]}")
    return Comparison(
        anchors, labels, references, check_labels(ref_labels, len(references), "ref_labels"), within=False
    )


def reduce(total: Tensor, *, nonzero: Tensor | float | int, count: float | int, reduction: str) -> Tensor:
    """One number from the sum of all terms: the sum itself, or its mean; 0 where there is nothing to average.

    Args:
        total: the sum of all terms.
        nonzero: how many terms are above 0.
        count: how many terms there are.
        reduction: "sum", "mean_all" over all terms, or "mean_nonzero" over those above 0.

    Raises:
        UnknownName: no such reduction.
    """
    if reduction == "sum":
        return total
    if reduction not in REDUCTIONS:
        raise UnknownName("reduction", str(reduction), REDUCTIONS)
    divisor = nonzero if reduction == "mean_nonzero" else count
    return total / torch.as_tensor(divisor, dtype=total.dtype, device=total.device).clamp(min=1)
