"""Sampled class weights: the batch's classes are always in, all classes are the full loss, and only drawn rows move."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import ArcFaceLoss, arcface_loss, build_loss, set_progress, step_sampled
from nearkin.losses.engine.class_weights import ClassWeights, sample_classes
from tests.losses.cases import assert_same
from tests.losses.class_cases import both_gradients


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.floats(0, 1), st.integers(0, 30))
def test_classes_of_the_batch_are_always_in(seed: int, classes: int, rate: float, count: int) -> None:
    labels = torch.randint(classes, (count,), generator=seeded(seed))
    taken, positions = sample_classes(labels, classes, rate, generator=seeded(seed))
    assert torch.equal(taken[positions], labels)
    assert (taken.diff() > 0).all()
    assert taken.numel() == 0 or (taken[0] >= 0 and taken[-1] < classes)
    wanted = -(-int(rate * classes * 10**9) // 10**9)
    assert abs(len(taken) - max(wanted, len(labels.unique()))) <= 1


def test_others_are_drawn_alike_often() -> None:
    labels, counts = torch.tensor([3, 3, 7]), torch.zeros(20)
    for seed in range(400):
        counts[sample_classes(labels, 20, 0.5, generator=seeded(seed))[0]] += 1
    assert (counts[[3, 7]] == 400).all()
    others = counts[[j for j in range(20) if j not in (3, 7)]]
    # 8 of 18 each time: 178 on average, of deviation 10.
    assert others.min() > 130
    assert others.max() < 226


def test_all_classes_sampled_are_the_full_loss() -> None:
    labels = torch.randint(30, (12,), generator=seeded())
    embeddings, weight = (torch.randn(rows, 5, generator=seeded(1)).double() for rows in (12, 30))
    taken, positions = sample_classes(labels, 30, 1.0, generator=seeded())
    full = partial(arcface_loss, scale=9.0)

    def sampled(x: Tensor, _: Tensor, w: Tensor) -> Tensor:
        return full(x, positions, w[taken])

    got, wanted = (both_gradients(loss, embeddings, labels, weight) for loss in (sampled, full))
    assert_same(got, wanted, 1e-12)


def test_an_option_that_the_formula_lacks_is_refused() -> None:
    with pytest.raises(TypeError, match="ArcFaceLoss has no option 'margn'"):
        ArcFaceLoss(4, 2, margn=0.4)


def test_the_sampled_loss_is_the_full_one_over_the_rows_that_were_drawn() -> None:
    loss = ArcFaceLoss(40, 5, sample_rate=0.25, generator=seeded())
    embeddings, labels = torch.randn(6, 5, generator=seeded()), torch.tensor([0, 39, 7, 7, 21, 3])
    taken, positions = sample_classes(
        labels, 40, 0.25, generator=torch.Generator().manual_seed(int(loss.class_weights.seed))
    )
    wanted = arcface_loss(embeddings, positions, loss.class_weights.weight[taken])
    torch.testing.assert_close(loss(embeddings, labels), wanted)
    loss.eval()
    torch.testing.assert_close(loss(embeddings, labels), arcface_loss(embeddings, labels, loss.class_weights.weight))


def test_only_rows_that_were_drawn_move_by_row_wise_adagrad() -> None:
    weights = ClassWeights(20, 3, sample_rate=0.3, learning_rate_multiple=2.0, generator=seeded())
    labels = torch.tensor([4, 11])
    squares, now = torch.zeros(20), weights.weight.clone()
    for step in range(3):
        rows, positions = weights(labels)
        torch.testing.assert_close(rows[positions], now[labels])
        (rows * torch.arange(1.0, 4.0)).square().sum().backward()
        taken = sample_classes(labels, 20, 0.3, generator=seeded(int(weights.seed) + step))[0]
        assert len(taken) == 6
        for j in taken.tolist():
            gradient = 2 * now[j] * torch.arange(1.0, 4.0).square()
            squares[j] += gradient.square().mean()
            now[j] -= 2.0 * 0.1 * gradient / squares[j].sqrt()
        weights.step_sampled(0.1)
        torch.testing.assert_close(weights.weight, now)
        torch.testing.assert_close(weights.squares, squares)


def test_nothing_of_all_classes_is_made_but_the_weights() -> None:
    loss = build_loss("arcface", classes=1000, dim=8, options={"sample_rate": 0.01})
    assert not list(loss.parameters())
    sizes = {name: part.numel() for name, part in loss.state_dict().items()}
    assert sizes == {
        "class_weights.weight": 8000,
        "class_weights.squares": 1000,
        "class_weights.seed": 1,
        "class_weights.steps": 1,
    }
    rows, _ = loss.class_weights(torch.tensor([5, 999]))
    assert rows.shape == (10, 8)


def test_it_learns_and_goes_on_where_it_stopped() -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(100, 8, generator=seeded()))
    labels = torch.arange(100)

    def steps(loss: torch.nn.Module, numbers: range) -> list[float]:
        values = []
        for step in numbers:
            batch = torch.arange(100) % 5 == step % 5
            value = loss(embeddings[batch], labels[batch])
            value.backward()
            step_sampled(loss, 0.01)
            values.append(value.item())
        return values

    def make(seed: int) -> torch.nn.Module:
        return build_loss("cosface", classes=100, dim=8, options={"sample_rate": 0.4}, generator=seeded(seed))

    whole, first = make(0), make(0)
    values = steps(whole, range(60))
    assert sum(values[-5:]) < 0.5 * sum(values[:5])
    # The rows point to their embeddings, the own one nearest.
    nearest = (embeddings @ torch.nn.functional.normalize(whole.class_weights.weight).T).argmax(1)
    assert (nearest == labels).float().mean() > 0.9
    steps(first, range(20))
    resumed = make(1)
    resumed.load_state_dict(first.state_dict())
    assert steps(resumed, range(20, 60)) == values[20:]


def test_rows_that_were_never_stepped_are_missed() -> None:
    loss = build_loss("arcface+0.1*center", classes=20, dim=3, options={"sample_rate": 0.2})
    embeddings, labels = torch.randn(4, 3, generator=seeded(), requires_grad=True), torch.tensor([0, 1, 2, 3])
    loss(embeddings, labels)
    loss(embeddings, labels).backward()
    with pytest.raises(InvalidInput, match="call step_sampled after backward"):
        loss(embeddings, labels)
    set_progress(loss, 0.5)
    step_sampled(loss, 0.1)
    loss(embeddings, labels)
    with torch.no_grad():
        loss(embeddings, labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, "classes is 1, expected a whole number of at least 2"),
        ({"dim": 0}, "dim is 0"),
        ({"sample_rate": 0.0}, "sample_rate is 0.0, expected a number above 0"),
        ({"sample_rate": 1.5}, "sample_rate is 1.5, expected a share of the classes, at most 1"),
        ({"learning_rate_multiple": -1.0}, "learning_rate_multiple is -1.0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ClassWeights(**{"classes": 10, "dim": 3, **options})


def test_labels_outside_of_the_classes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="expected class numbers 0 to 9, got 0 to 10"):
        ClassWeights(10, 3, sample_rate=0.5)(torch.tensor([0, 10]))
