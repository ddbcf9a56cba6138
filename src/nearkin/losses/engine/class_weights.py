"""One weight row per class, of which each step may see only some: the batch's classes and others at random."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nearkin.arrays import check_count
from nearkin.errors import InvalidInput
from nearkin.losses.engine.batch import check_classes, check_positive


class ClassWeights(nn.Module):
    """The weight rows of a loss over classes, begun at random directions.

    With a sample rate of 1 they are an ordinary parameter. Below 1, a batch is compared with the rows of its own
    classes and of others drawn at random, that share of all classes together. No gradient and no state of an optimizer
    is then ever made for all classes: the rows are a buffer, and `step_sampled` moves those that were drawn by
    row-wise AdaGrad, g / sqrt(sum of mean(g^2) so far), which keeps one number per row.

    Args:
        classes: number of classes, at least 2.
        dim: numbers of an embedding.
        per_class: rows of a class; the weights are `[classes, dim]` for 1, else `[classes, per_class, dim]`.
        sample_rate: share of the classes that a batch is compared with, above 0, at most 1. While not in training
            mode, all are.
        learning_rate_multiple: how much faster the rows learn than the encoder.
        generator: draws the rows, and the seed of the samples; torch's global one if None.

    Raises:
        InvalidInput: fewer than 2 classes, or a rate or multiple out of range.

    Example:
        >>> weights = ClassWeights(1000, 8, sample_rate=0.01)
        >>> rows, positions = weights(torch.tensor([7, 999, 7]))
        >>> rows.shape, bool((rows[positions[0]] == weights.weight[7]).all())
        (torch.Size([10, 8]), True)

    Source: An et al. 2022, "Killing two birds with one stone: efficient and robust training of face recognition CNNs
        by Partial FC", arXiv:2203.15565; Duchi et al. 2011 for AdaGrad.
    """

    weight: Tensor
    squares: Tensor
    seed: Tensor
    steps: Tensor

    def __init__(
        self,
        classes: int,
        dim: int,
        *,
        per_class: int = 1,
        sample_rate: float = 1.0,
        learning_rate_multiple: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(classes, "classes", least=2)
        check_count(dim, "dim")
        check_count(per_class, "rows of a class")
        if check_positive(sample_rate, "sample_rate") > 1:
            raise InvalidInput(f"sample_rate is {sample_rate}, expected a share of the classes, at most 1")
        self.classes, self.sample_rate = classes, sample_rate
        self.learning_rate_multiple = check_positive(learning_rate_multiple, "learning_rate_multiple")
        shape = (classes, dim) if per_class == 1 else (classes, per_class, dim)
        # Rows of about unit length: one learning rate then turns them by about the same angle in any dimension.
        weight = torch.empty(shape).normal_(std=1 / math.sqrt(dim), generator=generator)
        if sample_rate == 1:
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", weight)
            self.register_buffer("squares", torch.zeros(shape[:-1]))
            # Seed and number of the step decide a sample, so that a resumed training draws what it would have drawn.
            self.register_buffer("seed", torch.randint(2**31, (), generator=generator))
            self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self._drawn: tuple[Tensor, Tensor] | None = None

    def forward(self, labels: Int[Tensor, " batch"]) -> tuple[Float[Tensor, "some *row"], Int[Tensor, " batch"]]:
        """The rows to compare a batch with, and each label's position among them.

        Raises:
            InvalidInput: labels outside of the classes, or the rows drawn last were never stepped.
        """
        if self.sample_rate == 1 or not self.training:
            return self.weight, labels
        if self._drawn is not None and self._drawn[1].grad is not None:
            raise InvalidInput(
                "the sampled classes of the last step were not trained: call step_sampled after backward"
            )
        generator = torch.Generator(self.weight.device).manual_seed(int(self.seed) + int(self.steps))
        rows, positions = sample_classes(labels, self.classes, self.sample_rate, generator=generator)
        drawn = self.weight[rows]
        if torch.is_grad_enabled():
            self.steps += 1
            self._drawn = rows, drawn.requires_grad_()
        return drawn, positions

    @torch.no_grad()
    def step_sampled(self, learning_rate: float) -> None:
        """Move the rows that were drawn for the last batch against their gradient.

        Args:
            learning_rate: the encoder's.
        """
        drawn, self._drawn = self._drawn, None
        if drawn is None or drawn[1].grad is None:
            return
        rows, gradient = drawn[0], drawn[1].grad
        self.squares[rows] += gradient.square().mean(-1)
        rate = learning_rate * self.learning_rate_multiple / self.squares[rows].sqrt().clamp_(min=1e-12)
        self.weight[rows] -= rate[..., None] * gradient


def sample_classes(
    labels: Int[Tensor, " batch"], classes: int, sample_rate: float, *, generator: torch.Generator
) -> tuple[Int[Tensor, " some"], Int[Tensor, " batch"]]:
    """All classes of a batch, and others at random until the given share of all is reached.

    Args:
        labels: class ids, 0 <= id < classes.
        classes: how many there are.
        sample_rate: share of them to take, 0 to 1; more are taken if the batch has more.
        generator: draws the others, on the labels' device.

    Returns:
        The classes taken, ascending, and each label's position among them.

    Raises:
        InvalidInput: labels outside of the classes.
    """
    labels = check_classes(labels, len(labels), classes)
    own = labels.unique()
    order = torch.rand(classes, generator=generator, device=labels.device)
    order[own] = 2
    taken = order.topk(max(len(own), math.ceil(sample_rate * classes)), sorted=False).indices.sort().values
    return taken, torch.searchsorted(taken, labels)
