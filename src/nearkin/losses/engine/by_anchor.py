"""Sums over the anchors of a batch, each with its positives and its negatives, with the gradient in closed form.

A loss over pairs or triplets is a function of the scores between anchors and references. Here these are made for some
anchors at a time, in the cache; the loss returns its value and its slope, the derivative by each score, and the slopes
become a gradient by one product. So no pair and no triplet is ever listed. The largest thing in memory is the matrix
of scores, which becomes that of slopes; it is whole where a batch is compared with itself, since there half of the
products make all scores, and one product with S + S' serves both sides.

The batch is ordered by class, small classes first. Then the references of an anchor's class stand side by side, and a
block holds anchors with equally many positives: nothing is masked, nothing is filled up.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from nearkin.losses.engine.batch import Comparison
from nearkin.losses.engine.closed_form import closed_form

# x.y, or -|x-y|^2, or the latter for a loss that takes its root, whose slope grows without bound as rows meet: the
# root of all, or that of the negatives only.
Score = Literal["dot", "squared_distance", "distance", "distance_of_negatives"]

# Scores of a block. On a CPU it stays in the second-level cache with its companions; a GPU wants work enough for each
# launch of a kernel.
_CPU_BLOCK = 1 << 17
_GPU_BLOCK = 1 << 24

# Rows of a square whose transpose is taken.
_CPU_TILE = 512

# Squared distances below this share of the longest row's square are too inexact in float32 to take a root of.
_NEAR = 2.0**-10


class Anchors(NamedTuple):
    """Some anchors of a batch.

    Args:
        positives: scores of each anchor's p positives.
        scores: scores of all references, -inf where one is no negative; may be overwritten.
        negatives: how many of these are negatives, the same number for each anchor.
    """

    positives: Float[Tensor, "a p"]
    scores: Float[Tensor, "a r"]
    negatives: int


@dataclass(frozen=True)
class Terms:
    """What a loss finds for some anchors.

    Args:
        total: the sum of its terms.
        count: how many terms there are.
        by_positives: the derivative of the sum by each positive's score.
        by_scores: the same for all references, 0 where one is no negative.
        nonzero: how many terms are above 0, if it matters.
    """

    total: Float[Tensor, ""]
    count: int
    by_positives: Float[Tensor, "a p"]
    by_scores: Float[Tensor, "a r"]
    nonzero: Tensor | int = 0


# None where these anchors have no term.
Loss = Callable[[Anchors], Terms | None]


def sum_by_anchor(batch: Comparison, loss: Loss, score: Score = "dot") -> tuple[Float[Tensor, ""], Tensor | int, int]:
    """The sum of a loss's terms over all anchors, differentiable once.

    Args:
        batch: what is compared with what.
        loss: called with some anchors at a time.
        score: what the loss is a function of, higher where more alike: "dot" is x.y, "squared_distance" is -|x-y|^2,
            and so are "distance" and "distance_of_negatives", but in float64 if rows lie so near each other that the
            root which the loss takes asks for it.

    Returns:
        The sum (a scalar of the anchors' type), how many terms are above 0, and how many there are.
    """
    inputs = (batch.anchors,) if batch.within else (batch.anchors, batch.references)
    nonzero: Tensor | int = 0
    count = 0

    def formula(needed: Sequence[bool]) -> tuple[Tensor, list[Tensor | None]]:
        nonlocal nonzero, count
        layout = class_layout(batch)
        orders = (layout.anchors, layout.references)
        x, *rest = (side[order] for side, order in zip(inputs, orders, strict=False))
        y = rest[0] if rest else x
        found = _sum(x, y, layout, loss, score, needed) or _sum(x.double(), y.double(), layout, loss, score, needed)
        assert found is not None, "float64 is exact enough"
        total, nonzero, count, gradients = found
        return total.to(x.dtype), [
            None if by is None else torch.empty_like(by, dtype=x.dtype).index_copy_(0, order, by.to(x.dtype))
            for by, order in zip(gradients, orders, strict=False)
        ]

    total = closed_form(formula, *inputs)
    return total, nonzero, count


def _sum(
    x: Tensor, y: Tensor, layout: "ClassLayout", loss: Loss, score: Score, needed: Sequence[bool]
) -> tuple[Tensor, Tensor | int, int, list[Tensor | None]] | None:
    """Sum, terms above 0, terms, and the gradient by each input; None if the scores must be more exact."""
    x, y = centred(x, y, score)
    limit = too_near(x, y, score)
    keep = layout.within and needed[0]
    slopes = symmetric_scores(*_as_product(x, y, score)) if keep else None
    totals: list[Tensor] = []
    nonzero: Tensor | int = 0
    count = 0
    # The products of the slopes with the other side, which is longer by a 1: that adds up the slopes themselves.
    x_, y_ = (side if score == "dot" else F.pad(side, (0, 1), value=1.0) for side in (x, y))
    by_x = torch.zeros_like(x_) if needed[0] and not keep else None
    by_y = torch.zeros_like(y_) if needed[-1] and not layout.within else None
    for rows, positives, anchors in anchors_by_block(x, y, layout, score, slopes):
        if limit is not None and highest(anchors, score) > limit:
            return None
        terms = loss(anchors)
        if terms is None:
            if slopes is not None:
                slopes[rows] = 0
            continue
        totals.append(terms.total)
        nonzero = nonzero + terms.nonzero
        count += terms.count
        slope = terms.by_scores.scatter_(1, positives, terms.by_positives)
        if slopes is not None:
            slopes[rows] = slope
        if by_x is not None:
            torch.mm(slope, y_, out=by_x[rows])
        if by_y is not None:
            by_y.addmm_(slope.T, x_[rows])
    if slopes is not None:
        by_x = symmetric_product_(slopes, x_)
    total = torch.stack(totals).sum(dtype=widest(x)) if totals else x.new_zeros(())
    sides = ((by_x, x),) if layout.within else ((by_x, x), (by_y, y))
    return total, nonzero, count, [None if by is None else _gradient(by, side, score) for by, side in sides]


@dataclass(frozen=True)
class ClassLayout:
    """Anchors and references in the order of their classes, small classes first.

    Args:
        anchors: the order of the anchors; where a batch is compared with itself, that of the references.
        references: the order of the references.
        first: for each anchor in order, where its class begins among the references in order.
        groups: how many anchors in order have so many references of their class: (anchors, references) after another.
        within: whether one of these is the anchor itself.
    """

    anchors: Int[Tensor, " a"]
    references: Int[Tensor, " r"]
    first: Int[Tensor, " a"]
    groups: list[tuple[int, int]]
    within: bool


def class_layout(batch: Comparison) -> ClassLayout:
    """The order of a batch by class."""
    by_label = batch.ref_labels.sort()
    values, sizes = torch.unique_consecutive(by_label.values, return_counts=True)
    # Stable, so that the members of a class stay side by side.
    references = by_label.indices[sizes.repeat_interleave(sizes).argsort(stable=True)]
    by_size = sizes.sort(stable=True)
    begins = by_size.values.cumsum(0) - by_size.values
    if batch.within:
        anchors, first = references, begins.repeat_interleave(by_size.values)
        counted, classes = torch.unique_consecutive(by_size.values, return_counts=True)
        members = counted * classes
    elif not len(values):
        anchors = first = torch.arange(len(batch.labels), device=references.device)
        counted = members = references
    else:
        # Classes of anchors may lack references.
        found = torch.searchsorted(values, batch.labels).clamp_(max=len(values) - 1)
        alike, anchors = (sizes[found] * (values[found] == batch.labels)).sort(stable=True)
        first = begins.new_empty(len(begins)).index_copy_(0, by_size.indices, begins)[found[anchors]]
        counted, members = torch.unique_consecutive(alike, return_counts=True)
    groups = list(zip(members.tolist(), counted.tolist(), strict=True))
    return ClassLayout(anchors, references, first, groups, batch.within)


def anchors_by_block(
    x: Float[Tensor, "a dim"],
    y: Float[Tensor, "r dim"],
    layout: ClassLayout,
    score: Score,
    all_scores: Tensor | None = None,
) -> Iterator[tuple[slice, Int[Tensor, "block p"], Anchors]]:
    """Some anchors, which references are their positives, and their scores.

    The scores are the rows of `all_scores`, to be overwritten, or else lie in a buffer that the next block overwrites.
    """
    if not len(x) or not len(y):
        return
    left, right = _as_product(x, y, score) if all_scores is None else (x, y)
    # What is left of equal rows: rows nearer to each other than that count as equal.
    rounding = 0.0
    if x.dtype == torch.float64 and score not in ("dot", "squared_distance"):
        longest = max(float(side.square().sum(1).max()) for side in (x, y))
        rounding = (16 + x.shape[1] ** 0.5) * torch.finfo(x.dtype).eps * longest
    height = max(1, (_CPU_BLOCK if x.device.type == "cpu" else _GPU_BLOCK) // len(y))
    buffer = x.new_empty(min(height, len(x)) if all_scores is None else 0, len(y))
    start = 0
    for members, alike in layout.groups:
        slots = torch.arange(alike, device=x.device)
        for begin in range(start, start + members, height):
            rows = slice(begin, min(begin + height, start + members))
            if all_scores is None:
                scores = torch.mm(left[rows], right.T, out=buffer[: rows.stop - begin])
            else:
                scores = all_scores[rows]
            if rounding:
                scores.copy_(F.hardshrink(scores, rounding))
            first = layout.first[rows, None]
            own = positives = first + slots
            if layout.within:
                itself = torch.arange(begin, rows.stop, device=x.device)[:, None] - first
                positives = own[:, :-1] + (slots[:-1] >= itself)
            near = scores.gather(1, positives)
            scores.scatter_(1, own, -torch.inf)
            yield rows, positives, Anchors(near, scores, len(y) - alike)
        start += members


def _as_product(x: Tensor, y: Tensor, score: Score) -> tuple[Tensor, Tensor]:
    """Rows whose dot products are the scores: for -|x-y|^2, which is 2 x.y - |x|^2 - |y|^2, longer ones."""
    if score == "dot":
        return x, y
    x_squared, y_squared = x.square().sum(1, keepdim=True), y.square().sum(1, keepdim=True)
    one = torch.ones_like(x_squared), torch.ones_like(y_squared)
    return torch.cat([2 * x, -x_squared, -one[0]], 1), torch.cat([y, one[1], y_squared], 1)


def symmetric_scores(left: Float[Tensor, "n dim"], right: Float[Tensor, "n dim"]) -> Float[Tensor, "n n"]:
    """All left_i . right_j, known to be right_i . left_j as well: half of the products is enough."""
    scores = left.new_empty(len(left), len(right))
    tiles = _tiles(left)
    for number, here in enumerate(tiles):
        torch.mm(left[here], right[here.start :].T, out=scores[here, here.start :])
        for below in tiles[number + 1 :]:
            scores[below, here].copy_(scores[here, below].T)
    return scores


def symmetric_product_(matrix: Float[Tensor, "n n"], x: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    """(M + M') x, by half of the sum; overwrites M."""
    product = torch.zeros_like(x)
    tiles = _tiles(x)
    for number, here in enumerate(tiles):
        for right in tiles[number:]:
            matrix[here, right] += matrix[right, here].T.contiguous()
        beyond = slice(here.stop, len(x))
        product[here].addmm_(matrix[here, here.start :], x[here.start :])
        product[beyond].addmm_(matrix[here, beyond].T, x[here])
    return product


def _tiles(rows: Tensor) -> list[slice]:
    """Rows in groups so small that a CPU transposes a square of them within its cache; on a GPU all together."""
    height = _CPU_TILE if rows.device.type == "cpu" else max(1, len(rows))
    return [slice(start, min(start + height, len(rows))) for start in range(0, len(rows), height)]


def _gradient(product: Tensor, at: Tensor, score: Score) -> Tensor:
    """dL/d(at) by the product of the slopes S with the other side: that itself, or 2 (S other - sum(S) at)."""
    return product if score == "dot" else (product[:, :-1] - product[:, -1:] * at).mul_(2)


def centred(x: Tensor, y: Tensor, score: Score) -> tuple[Tensor, Tensor]:
    """Both moved together, which changes no distance; products of rows near the origin round less."""
    if score == "dot" or not len(y):
        return x, y
    centre = y.mean(0)
    moved = x - centre
    return moved, moved if x is y else y - centre


def too_near(x: Tensor, y: Tensor, score: Score) -> float | None:
    """The score above which rows lie too near each other for the root of their distance; None if that cannot be."""
    if score in ("dot", "squared_distance") or x.dtype == widest(x) or not len(x) or not len(y):
        return None
    return -_NEAR * max(float(side.square().sum(1).max()) for side in (x, y))


def highest(anchors: Anchors, score: Score) -> Tensor:
    """The highest score that the root is taken of."""
    top = anchors.scores.amax()
    return torch.maximum(top, anchors.positives.amax()) if score == "distance" and anchors.positives.numel() else top


def widest(x: Tensor) -> torch.dtype:
    """float64, or float32 on a device that has no float64 (Apple's GPU)."""
    return torch.float32 if x.device.type == "mps" else torch.float64
