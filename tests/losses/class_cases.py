"""What every loss over classes must stand: its slow loop, the ends of its range, half precision, and refusals."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nearkin.errors import InvalidInput
from tests.losses.cases import TOLERANCE, assert_same, value_and_gradient

CLASSES, DIM = 6, 4

# embeddings, labels, weights -> scalar
ClassLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


def draw(count: int, seed: int = 0, *, sub_centers: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings and weights of any length, in float64 but of values of float32, and labels."""
    random = torch.Generator().manual_seed(seed)
    shape = (CLASSES, DIM) if sub_centers is None else (CLASSES, sub_centers, DIM)
    embeddings, weight = torch.randn(count, DIM, generator=random), torch.randn(shape, generator=random)
    return embeddings.double(), torch.randint(CLASSES, (count,), generator=random), weight.double()


def cosine(x: Tensor, w: Tensor) -> Tensor:
    return (x * w).sum() / (x.norm() * w.norm())


def cross_entropy(own: Tensor, others: list[Tensor]) -> Tensor:
    """-log(e^own / (e^own + sum of e^others))."""
    return -(own.exp() / (own.exp() + sum(other.exp() for other in others))).log()


def loop_over_classes(
    embeddings: Tensor,
    labels: Tensor,
    weight: Tensor,
    own: Callable[[Tensor], Tensor],
    other: Callable[[Tensor], Tensor] = torch.cos,
    scale: Callable[[Tensor], Tensor | float] = lambda x: 1.0,
) -> Tensor:
    """Mean cross-entropy, row by row and class by class, of functions of the angles to the own class and to others."""
    terms = []
    for x, label in zip(embeddings, labels.tolist(), strict=True):
        angles = [torch.acos(cosine(x, w)) for w in weight]
        others = [scale(x) * other(angle) for j, angle in enumerate(angles) if j != label]
        terms.append(cross_entropy(scale(x) * own(angles[label]), others))
    return sum(terms) / len(terms)


def both_gradients(loss: ClassLoss, embeddings: Tensor, labels: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Value, and the gradients by embeddings and weights in one."""
    count = embeddings.numel()
    return value_and_gradient(
        lambda x: loss(x[:count].view_as(embeddings), labels, x[count:].view_as(weight)),
        torch.cat([embeddings.flatten(), weight.flatten()]),
    )


def assert_equals_loop(loss: ClassLoss, loop: ClassLoss, *, sub_centers: int | None = None) -> None:
    """In both precisions, in batches of several sizes and of one class, by embeddings and weights; and a gradcheck."""
    embeddings, labels, weight = draw(9, sub_centers=sub_centers)
    for batch in (labels, labels[:1], torch.full((2,), 2)):
        rows = embeddings[: len(batch)]
        wanted = both_gradients(loop, rows, batch, weight)
        for dtype, tolerance in TOLERANCE.items():
            got = both_gradients(loss, rows.to(dtype), batch, weight.to(dtype))
            assert got[0].dtype == got[1].dtype == dtype
            assert_same(got, wanted, tolerance)
    inputs = embeddings.requires_grad_(), weight.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, w: loss(x, labels, w), inputs, fast_mode=True)


def assert_order_and_rotation_do_not_matter(loss: ClassLoss, seed: int) -> None:
    embeddings, labels, weight = draw(8, seed)
    random = torch.Generator().manual_seed(seed)
    order, number = torch.randperm(8, generator=random), torch.randperm(CLASSES, generator=random)
    turn = torch.linalg.qr(torch.randn(DIM, DIM, generator=random).double()).Q
    changed = loss(embeddings[order] @ turn, number.argsort()[labels[order]], weight[number] @ turn)
    torch.testing.assert_close(changed, loss(embeddings, labels, weight))


def assert_lengths_do_not_matter(loss: ClassLoss, seed: int) -> None:
    embeddings, labels, weight = draw(8, seed)
    random = torch.Generator().manual_seed(seed)
    longer = [rows * (0.1 + 10 * torch.rand(len(rows), 1, generator=random).double()) for rows in (embeddings, weight)]
    torch.testing.assert_close(loss(longer[0], labels, longer[1]), loss(embeddings, labels, weight))


def assert_stands_the_ends(loss: ClassLoss) -> None:
    """Zero rows, equal rows, rows upon their weight or opposite to it: finite, and no gradient if none makes sense."""
    _, _, weight = draw(1)
    labels = torch.arange(CLASSES)
    for embeddings in (weight, 3.7 * weight, -weight, 0 * weight, weight[:1].expand(CLASSES, -1)):
        value, gradient = both_gradients(loss, embeddings.float(), labels, weight.float())
        assert value.isfinite()
        assert gradient.isfinite().all()
        torch.testing.assert_close(value.double(), loss(embeddings, labels, weight), rtol=1e-5, atol=1e-5)
        assert gradient.abs().max() < 1e3
    value, gradient = both_gradients(loss, 1e4 * draw(5)[0].float(), draw(5)[1], weight.float())
    assert value.isfinite()
    assert gradient.isfinite().all()
    value, gradient = both_gradients(loss, torch.zeros(2, DIM), labels[:2], torch.zeros(CLASSES, DIM))
    assert value.isfinite()
    assert not gradient.any()


def assert_stands_scores_of_10_000(loss: ClassLoss) -> None:
    embeddings, labels, weight = draw(5)
    value, gradient = both_gradients(loss, embeddings.float(), labels, weight.float())
    assert value > 100
    torch.testing.assert_close(value.double(), loss(embeddings, labels, weight), rtol=1e-5, atol=0)
    assert gradient.isfinite().all()


def assert_exact_a_hair_from_the_weight(loss: ClassLoss, loop: ClassLoss) -> None:
    """At angles down to 1e-4, and as near to pi, float32 has the gradient, where its arc cosine has lost it."""
    weight = torch.eye(DIM, dtype=torch.float64)
    across = torch.tensor([[0.0, 0.6, -0.8, 0.0]], dtype=torch.float64)
    for sign in (1, -1):
        for angle in (1e-2, 1e-3, 1e-4):
            x = (sign * weight[:1] + angle * across).float().double()
            got = both_gradients(loss, x.float(), torch.tensor([0]), weight.float())
            assert_same(got, both_gradients(loop, x, torch.tensor([0]), weight), 2e-3)


def assert_half_precision_is_computed_in_full(loss: ClassLoss) -> None:
    embeddings, labels, weight = draw(5)
    for dtype in (torch.bfloat16, torch.float16):
        halves = embeddings.to(dtype)
        value, gradient = value_and_gradient(lambda x: loss(x, labels, weight.float()), halves)
        exact = value_and_gradient(lambda x: loss(x, labels, weight), halves.double())
        assert value.dtype == torch.float32
        assert gradient.dtype == dtype
        torch.testing.assert_close(value.double(), exact[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(gradient.double(), exact[1], rtol=1e-2, atol=1e-2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = loss(embeddings.float(), labels, weight.float())
    torch.testing.assert_close(within, loss(embeddings, labels, weight).float(), rtol=1e-5, atol=1e-6)


def assert_an_empty_batch_costs_nothing(loss: ClassLoss) -> None:
    _, _, weight = draw(1)
    value, gradient = both_gradients(loss, torch.zeros(0, DIM), torch.zeros(0, dtype=torch.int64), weight.float())
    assert value == 0
    assert not gradient.any()


def assert_refuses_bad_batches(loss: ClassLoss) -> None:
    embeddings, labels, weight = torch.zeros(2, 3), torch.tensor([0, 1]), torch.zeros(6, 3)
    for batch, message in (
        ((embeddings, torch.tensor([0, 6]), weight), "expected class numbers 0 to 5, got 0 to 6"),
        ((embeddings, torch.tensor([-1, 0]), weight), "expected class numbers 0 to 5, got -1 to 0"),
        ((embeddings, labels, torch.zeros(6, 4)), "embeddings have 3 numbers, the class weights 4"),
        ((embeddings, torch.tensor([0]), weight), "labels: 1 given for 2"),
        ((torch.full((2, 3), torch.nan), labels, weight), "2 of 2 rows hold NaN"),
    ):
        with pytest.raises(InvalidInput, match=message):
            loss(*batch)
    x = torch.randn(2, 3, requires_grad=True)
    with pytest.raises(InvalidInput, match="leave out create_graph"):
        torch.autograd.grad(loss(x, labels, torch.randn(6, 3)), x, create_graph=True)


def assert_learns(module: torch.nn.Module) -> None:
    """A few steps of Adam on the weights alone lower the loss of a batch."""
    embeddings = normalize(torch.randn(12, DIM, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(12) % CLASSES
    first = module(embeddings, labels)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(20):
        optimizer.zero_grad()
        module(embeddings, labels).backward()
        optimizer.step()
    assert module(embeddings, labels) < 0.9 * first
