"""The contrastive loss against a loop over all pairs, and what must not change it."""

from inspect import unwrap

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses import contrastive_loss
from tests.losses.cases import CASES, REDUCTIONS, TOLERANCE, assert_same, reduced, value_and_gradient


def pair_loss(one: Tensor, other: Tensor, same: bool, margin: float) -> Tensor:
    """L = 1/2 (z d^2 + (1-z) max(0, M-d)^2), with no gradient at d = 0."""
    if torch.equal(one, other):
        return torch.tensor(0.0 if same else margin**2 / 2, dtype=one.dtype)
    distance = (one - other).square().sum().sqrt()
    return (distance.square() if same else torch.relu(margin - distance).square()) / 2


def loop(embeddings: Tensor, labels: Tensor, margin: float) -> list[Tensor]:
    """Pair by pair, i < j."""
    return [
        pair_loss(embeddings[i], embeddings[j], bool(labels[i] == labels[j]), margin)
        for j in range(len(labels))
        for i in range(j)
    ]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.5, 2.0])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_loop(case: str, margin: float, reduction: str, dtype: torch.dtype) -> None:
    embeddings, labels = CASES[case]
    got = value_and_gradient(
        lambda x: contrastive_loss(x, labels, margin=margin, reduction=reduction), embeddings.to(dtype)
    )
    wanted = value_and_gradient(lambda x: reduced(loop(x, labels, margin), reduction), embeddings)
    assert got[0].dtype == got[1].dtype == dtype
    assert_same(got, wanted, TOLERANCE[dtype])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("learned", [True, False], ids=["references learn", "references fixed"])
def test_equals_the_loop_over_a_reference_set(reduction: str, learned: bool) -> None:
    labels, ref_labels = CASES["ragged"][1], CASES["balanced"][1]
    both = torch.cat([CASES["ragged"][0], CASES["balanced"][0]])

    def references(x: Tensor) -> Tensor:
        return x[12:] if learned else x[12:].detach()

    def ours(x: Tensor) -> Tensor:
        options = {"ref_embeddings": references(x), "ref_labels": ref_labels}
        return contrastive_loss(x[:12], labels, margin=2.0, reduction=reduction, **options)

    def slow(x: Tensor) -> Tensor:
        pairs = [(i, j) for i in range(12) for j in range(9)]
        terms = [pair_loss(x[i], references(x)[j], bool(labels[i] == ref_labels[j]), 2.0) for i, j in pairs]
        return reduced(terms, reduction)

    assert_same(value_and_gradient(ours, both), value_and_gradient(slow, both), 1e-10)


def test_equals_dense_formula_in_large_batches() -> None:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(50, (700,), generator=random)
    embeddings = torch.randn(700, 3, dtype=torch.float64, generator=random)

    def dense(x: Tensor) -> Tensor:
        squared = torch.nn.functional.pdist(x).square()
        i, j = torch.triu_indices(700, 700, offset=1)
        return torch.where(labels[i] == labels[j], squared, torch.relu(1 - squared.sqrt()).square()).mean() / 2

    got = value_and_gradient(lambda x: contrastive_loss(x, labels, margin=1.0), embeddings)
    assert_same(got, value_and_gradient(dense, embeddings), 1e-10)


def test_gradcheck() -> None:
    embeddings, labels = CASES["ragged"]
    refs, ref_labels = CASES["balanced"]
    assert torch.autograd.gradcheck(
        lambda x: contrastive_loss(x, labels, margin=2.0), embeddings.clone().requires_grad_()
    )
    assert torch.autograd.gradcheck(
        lambda x, y: contrastive_loss(x, labels, margin=2.0, ref_embeddings=y, ref_labels=ref_labels),
        (embeddings.clone().requires_grad_(), refs.clone().requires_grad_()),
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 16), st.integers(1, 4), st.floats(-100, 100))
def test_order_names_and_place_do_not_matter(seed: int, count: int, classes: int, shift: float) -> None:
    random = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(count, 3, dtype=torch.float64, generator=random)
    labels = torch.randint(classes, (count,), generator=random)
    value = contrastive_loss(embeddings, labels, margin=1.0)
    order = torch.randperm(count, generator=random)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=random)).Q
    names = torch.randperm(classes, generator=random) * 1000 - 500
    changed = contrastive_loss(embeddings[order] @ turn + shift, names[labels[order]], margin=1.0)
    torch.testing.assert_close(changed, value, rtol=1e-9, atol=1e-9)


def test_negatives_a_hair_apart_are_pushed_along_their_difference() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 1e-6]])
    _, gradient = value_and_gradient(lambda x: contrastive_loss(x, torch.tensor([0, 1]), margin=0.5), embeddings)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 0.5], [0.0, -0.5]]), rtol=1e-5, atol=1e-5)


def test_equal_rows_of_two_classes_are_at_distance_0_and_stay_there() -> None:
    # Of |x|^2 - 2 x.x + |x|^2 a rounding is left, which must not pass for a distance.
    rows = torch.randn(40, 257, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(80)
    value, gradient = value_and_gradient(
        lambda x: contrastive_loss(torch.cat([x, x]), labels, margin=0.5, reduction="sum"), rows
    )
    assert value == 40 * 0.5**2 / 2
    assert not gradient.any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_full(dtype: torch.dtype) -> None:
    embeddings, labels = CASES["balanced"]
    halves = embeddings.to(dtype)
    value, gradient = value_and_gradient(lambda x: contrastive_loss(x, labels), halves)
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    exact = value_and_gradient(lambda x: contrastive_loss(x, labels), halves.double())
    torch.testing.assert_close(value.double(), exact[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient.double(), exact[1], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("margin", [0.0, -1.0, float("inf"), float("nan"), True])
def test_a_margin_out_of_range_is_refused(margin: float) -> None:
    with pytest.raises(InvalidInput, match=r"margin is .* wanted a number above 0"):
        unwrap(contrastive_loss)(torch.zeros(2, 2), torch.arange(2), margin=margin)


def test_bad_batches_and_reductions_are_refused() -> None:
    with pytest.raises(InvalidInput, match="labels: 3 given for 2 embeddings"):
        unwrap(contrastive_loss)(torch.zeros(2, 2), torch.arange(3))
    with pytest.raises(InvalidInput, match="1 of 2 rows hold NaN"):
        contrastive_loss(torch.tensor([[0.0], [torch.nan]]), torch.arange(2))
    with pytest.raises(UnknownName, match="unknown reduction 'none'"):
        unwrap(contrastive_loss)(torch.zeros(2, 2), torch.arange(2), reduction="none")
