"""Softmax loss against a loop over classes."""

import math
from inspect import unwrap

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import SoftmaxLoss, softmax_loss
from tests.losses.cases import TOLERANCE, assert_same, value_and_gradient

CLASSES, DIM = 6, 4


def draw(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    embeddings, weight = (torch.randn(rows, DIM, generator=random).double() for rows in (count, CLASSES))
    return embeddings, torch.randint(CLASSES, (count,), generator=random), weight, weight[:, 0] - 1


def loop(embeddings: Tensor, labels: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """L = -log(exp(s_y) / sum_c exp(s_c)), row by row."""
    losses = []
    for x, label in zip(embeddings, labels, strict=True):
        scores = [(w * x).sum() + (0 if bias is None else bias[c]) for c, w in enumerate(weight)]
        losses.append(-(scores[label].exp() / sum(score.exp() for score in scores)).log())
    return sum(losses) / len(losses)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_equals_the_loop(count: int, with_bias: bool, dtype: torch.dtype) -> None:
    embeddings, labels, weight, bias = draw(count)
    bias = bias if with_bias else None
    for part in ("embeddings", "weight"):

        def given(x: Tensor, part: str = part) -> tuple:
            to = x.dtype
            parts = {"embeddings": embeddings.to(to), "weight": weight.to(to), part: x}
            return parts["embeddings"], labels, parts["weight"], None if bias is None else bias.to(to)

        x = embeddings if part == "embeddings" else weight
        got = value_and_gradient(lambda x, given=given: softmax_loss(*given(x)), x.to(dtype))
        assert_same(got, value_and_gradient(lambda x, given=given: loop(*given(x)), x), TOLERANCE[dtype])


def test_gradcheck() -> None:
    embeddings, labels, weight, bias = draw(5)
    inputs = tuple(x.clone().requires_grad_() for x in (embeddings, weight, bias))
    assert torch.autograd.gradcheck(lambda x, w, b: softmax_loss(x, labels, w, b), inputs)


@given(st.integers(0, 2**32 - 1))
def test_order_and_a_renumbering_of_classes_do_not_matter(seed: int) -> None:
    embeddings, labels, weight, bias = draw(8, seed)
    order, number = torch.randperm(8), torch.randperm(CLASSES)
    changed = softmax_loss(embeddings[order], number.argsort()[labels[order]], weight[number], bias[number])
    torch.testing.assert_close(changed, softmax_loss(embeddings, labels, weight, bias))


def test_an_empty_batch_and_huge_scores() -> None:
    embeddings, labels, weight, bias = draw(3)
    assert softmax_loss(embeddings[:0], labels[:0], weight, bias) == 0
    value, gradient = value_and_gradient(lambda x: softmax_loss(x, labels, weight, bias), embeddings.float() * 1e4)
    assert value.isfinite()
    assert gradient.isfinite().all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        exact = softmax_loss(embeddings, labels, weight, bias).float()
        torch.testing.assert_close(softmax_loss(embeddings.float(), labels, weight, bias), exact)


def test_the_module_learns_its_classes() -> None:
    torch.manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(12, DIM))
    labels = torch.arange(12) % CLASSES
    loss = SoftmaxLoss(CLASSES, DIM)
    assert {name: tuple(part.shape) for name, part in loss.named_parameters()} == {
        "weight": (CLASSES, DIM),
        "bias": (CLASSES,),
    }
    first = loss(embeddings, labels)
    torch.testing.assert_close(first, softmax_loss(embeddings, labels, loss.weight, loss.bias))
    optimizer = torch.optim.SGD(loss.parameters(), lr=1.0)
    for _ in range(20):
        optimizer.zero_grad()
        loss(embeddings, labels).backward()
        optimizer.step()
    assert loss(embeddings, labels) < first
    # A classifier that knows nothing yet is about as unsure as a coin with a side for each class.
    assert SoftmaxLoss(1000, 128)(embeddings[:1].repeat(1, 32) / math.sqrt(32), labels[:1]) < 2 * math.log(1000)


@pytest.mark.parametrize(
    ("labels", "weight", "message"),
    [
        (torch.tensor([0, 6]), torch.zeros(6, 3), "expected class numbers 0 to 5, got 0 to 6"),
        (torch.tensor([-1, 0]), torch.zeros(6, 3), "expected class numbers 0 to 5, got -1 to 0"),
        (torch.tensor([0, 1]), torch.zeros(6, 4), "embeddings have 3 numbers, the class weights 4"),
        (torch.tensor([0.0, 1.0]), torch.zeros(6, 3), "expected whole numbers"),
        (torch.tensor([0]), torch.zeros(6, 3), "labels: 1 given for 2"),
    ],
)
def test_bad_input_is_refused(labels: Tensor, weight: Tensor, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        unwrap(softmax_loss)(torch.zeros(2, 3), labels, weight)
