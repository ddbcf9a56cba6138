"""The triplet loss against loops over all triplets, and what must not change it."""

from inspect import unwrap

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from torch import Tensor

from nearkin.errors import InvalidInput, UnknownName
from nearkin.losses import triplet_loss
from nearkin.losses.triplet import FEW_POSITIVES, count_by_passes, count_by_ranks
from tests.losses.cases import CASES, REDUCTIONS, TOLERANCE, assert_same, reduced, value_and_gradient


def loop(
    anchors: Tensor,
    labels: Tensor,
    *,
    margin: float,
    ref_embeddings: Tensor | None = None,
    ref_labels: Tensor | None = None,
) -> list[Tensor]:
    """L = max(0, |a-p|^2 - |a-n|^2 + M), triplet by triplet."""
    own = ref_embeddings is None
    references, ref_labels = (anchors, labels) if ref_embeddings is None else (ref_embeddings, ref_labels)
    losses = []
    for a, anchor in enumerate(anchors):
        squared = [(anchor - reference).square().sum() for reference in references]
        for p, near in enumerate(squared):
            for n, far in enumerate(squared):
                if labels[a] == ref_labels[p] and not (own and a == p) and labels[a] != ref_labels[n]:
                    losses.append(torch.relu(near - far + margin))
    return losses


def by_anchor(embeddings: Tensor, labels: Tensor, *, margin: float) -> list[Tensor]:
    """The same, an anchor at a time, for batches that are too large for the loop."""
    losses = []
    for a in range(len(labels)):
        squared = (embeddings[a] - embeddings).square().sum(1)
        positive = labels == labels[a]
        positive[a] = False
        losses.append(torch.relu(squared[positive][:, None] - squared[labels != labels[a]] + margin).flatten())
    return [torch.cat(losses)]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.2, 2.0])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_loop(case: str, margin: float, reduction: str, dtype: torch.dtype) -> None:
    embeddings, labels = CASES[case]
    got = value_and_gradient(
        lambda x: triplet_loss(x, labels, margin=margin, reduction=reduction), embeddings.to(dtype)
    )
    wanted = value_and_gradient(lambda x: reduced(loop(x, labels, margin=margin), reduction), embeddings)
    assert got[0].dtype == got[1].dtype == dtype
    assert_same(got, wanted, TOLERANCE[dtype])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_equals_the_loop_over_a_reference_set(reduction: str) -> None:
    labels, ref_labels = CASES["ragged"][1], CASES["balanced"][1]
    both = torch.cat([CASES["ragged"][0], CASES["balanced"][0]])

    def options(x: Tensor) -> dict:
        return {"margin": 1.0, "ref_embeddings": x[12:], "ref_labels": ref_labels}

    got = value_and_gradient(lambda x: triplet_loss(x[:12], labels, reduction=reduction, **options(x)), both)
    wanted = value_and_gradient(lambda x: reduced(loop(x[:12], labels, **options(x)), reduction), both)
    assert wanted[0] > 0
    assert_same(got, wanted, 1e-10)


def test_a_reference_set_needs_no_gradient_and_may_be_empty() -> None:
    embeddings, labels = CASES["balanced"]
    refs, ref_labels = CASES["ragged"]
    options = {"margin": 1.0, "ref_embeddings": refs, "ref_labels": ref_labels}
    got = value_and_gradient(lambda x: triplet_loss(x, labels, **options), embeddings)
    wanted = value_and_gradient(lambda x: reduced(loop(x, labels, **options), "mean_nonzero"), embeddings)
    assert_same(got, wanted, 1e-10)
    assert triplet_loss(embeddings, labels, ref_embeddings=refs[:0], ref_labels=ref_labels[:0]) == 0


@pytest.mark.parametrize("sizes", [(20,) * 35, (300, 200, 150, 49, 1)], ids=["several blocks", "many positives"])
def test_equals_the_sums_by_anchor_in_large_batches(sizes: tuple[int, ...]) -> None:
    assert max(sizes) > FEW_POSITIVES or max(sizes) == 20
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))[torch.randperm(700, generator=random)]
    embeddings = torch.randn(700, 3, dtype=torch.float64, generator=random)
    for reduction in REDUCTIONS:
        got, wanted = (
            value_and_gradient(loss, embeddings)
            for loss in (
                lambda x, r=reduction: triplet_loss(x, labels, margin=0.5, reduction=r),
                lambda x, r=reduction: reduced(by_anchor(x, labels, margin=0.5), r),
            )
        )
        assert_same(got, wanted, 1e-10)


@given(st.data())
def test_both_ways_of_counting_count(data: st.DataObject) -> None:
    rows, p, n = (data.draw(st.integers(0 if size else 1, 6)) for size in range(3))
    # Few different numbers, so that many are equal.
    number = st.integers(0, 4).map(float)
    hurdles = torch.tensor(
        [[data.draw(number | st.just(torch.inf)) for _ in range(p)] for _ in range(rows)], dtype=torch.float32
    ).reshape(rows, p)
    scores = torch.tensor(
        [[data.draw(number | st.just(-torch.inf)) for _ in range(n)] for _ in range(rows)], dtype=torch.float32
    ).reshape(rows, n)
    above = scores[:, None, :] > hurdles[:, :, None]
    for count in (count_by_passes, count_by_ranks):
        by_hurdle, by_score = count(hurdles, scores)
        assert torch.equal(by_hurdle, above.sum(2).float())
        assert torch.equal(by_score, above.sum(1).float())


@pytest.mark.parametrize("per_class", [2, 4, 16])
def test_equals_pytorch_metric_learning(per_class: int) -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(64, 16, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(64) // per_class
    theirs = TripletMarginLoss(margin=0.2, distance=LpDistance(normalize_embeddings=False, p=2, power=2))
    got = value_and_gradient(lambda x: triplet_loss(x, labels, margin=0.2), embeddings)
    assert_same(got, value_and_gradient(lambda x: theirs(x, labels), embeddings), 1e-5)


def test_gradcheck() -> None:
    embeddings, labels = CASES["ragged"]
    refs, ref_labels = CASES["balanced"]
    assert torch.autograd.gradcheck(
        lambda x: triplet_loss(x, labels, margin=1.0, reduction="sum"), embeddings.clone().requires_grad_()
    )
    assert torch.autograd.gradcheck(
        lambda x, y: triplet_loss(x, labels, margin=1.0, ref_embeddings=y, ref_labels=ref_labels),
        (embeddings.clone().requires_grad_(), refs.clone().requires_grad_()),
    )


@given(st.integers(0, 2**32 - 1), st.integers(2, 16), st.integers(1, 4), st.floats(-100, 100))
def test_order_names_and_place_do_not_matter(seed: int, count: int, classes: int, shift: float) -> None:
    random = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(count, 3, dtype=torch.float64, generator=random)
    labels = torch.randint(classes, (count,), generator=random)
    value = triplet_loss(embeddings, labels, margin=0.5)
    order = torch.randperm(count, generator=random)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=random)).Q
    names = torch.randperm(classes, generator=random) * 1000 - 500
    changed = triplet_loss(embeddings[order] @ turn + shift, names[labels[order]], margin=0.5)
    torch.testing.assert_close(changed, value, rtol=1e-9, atol=1e-9)


def test_scale_by_the_gradient_from_above_and_stop_at_the_first_derivative() -> None:
    embeddings, labels = CASES["balanced"]
    once = value_and_gradient(lambda x: triplet_loss(x, labels), embeddings)[1]
    thrice = value_and_gradient(lambda x: 3 * triplet_loss(x, labels), embeddings)[1]
    torch.testing.assert_close(thrice, 3 * once)
    x = embeddings.clone().requires_grad_()
    with pytest.raises(InvalidInput, match="leave out create_graph"):
        torch.autograd.grad(triplet_loss(x, labels), x, create_graph=True)
    with torch.no_grad():
        assert triplet_loss(x, labels) == triplet_loss(embeddings, labels)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_full(dtype: torch.dtype) -> None:
    embeddings, labels = CASES["balanced"]
    halves = embeddings.to(dtype)
    value, gradient = value_and_gradient(lambda x: triplet_loss(x, labels), halves)
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    exact = value_and_gradient(lambda x: triplet_loss(x, labels), halves.double())
    assert_same((value, value), (exact[0], exact[0]), 1e-5)
    assert_same((gradient, gradient), (exact[1], exact[1]), 1e-2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        in_autocast = value_and_gradient(lambda x: triplet_loss(x, labels), embeddings.float())
    assert_same(in_autocast, value_and_gradient(lambda x: triplet_loss(x, labels), embeddings.float()), 1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": 0.0}, "margin is 0.0, wanted a number above 0"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"margin": "wide"}, "margin is 'wide'"),
        ({"labels": torch.arange(3)}, "labels: 3 given for 4 embeddings"),
        ({"labels": torch.zeros(4)}, "labels: wanted whole numbers \\[n\\], got torch.float32"),
        ({"labels": torch.zeros(4, 1, dtype=torch.int64)}, "got torch.int64 of shape \\(4, 1\\)"),
        ({"embeddings": torch.zeros(4)}, "embeddings: wanted floating-point numbers \\[n, dim\\]"),
        ({"embeddings": torch.zeros(4, 2, dtype=torch.int64)}, "got torch.int64 of shape \\(4, 2\\)"),
        (
            {"embeddings": torch.tensor([[0.0, 1.0], [0.0, torch.nan], [1.0, 0.0], [-torch.inf, 1.0]])},
            "2 of 4 rows .* first is row 1",
        ),
        ({"ref_embeddings": torch.zeros(2, 2)}, "needs both"),
        ({"ref_labels": torch.arange(2)}, "needs both"),
        ({"ref_embeddings": torch.zeros(2, 3), "ref_labels": torch.arange(2)}, "have 3 numbers, embeddings 2"),
        ({"ref_embeddings": torch.zeros(2, 2), "ref_labels": torch.arange(3)}, "ref_labels: 3 given for 2"),
    ],
)
def test_bad_input_is_refused(change: dict, message: str) -> None:
    given = {"embeddings": torch.zeros(4, 2), "labels": torch.arange(4), "margin": 0.2, **change}
    # Users have no checker of annotations; the tests' own would refuse these first.
    with pytest.raises(InvalidInput, match=message):
        unwrap(triplet_loss)(**given)


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown reduction 'mean': did you mean"):
        unwrap(triplet_loss)(torch.zeros(2, 2), torch.arange(2), reduction="mean")
