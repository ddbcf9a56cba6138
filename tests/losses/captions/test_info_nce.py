"""InfoNCE against loops over rows and columns."""

from inspect import unwrap

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import InfoNCELoss, info_nce_loss
from tests.losses.cases import TOLERANCE, assert_same, value_and_gradient


def draw(count: int, seed: int = 0) -> Tensor:
    """Images above texts, unit length."""
    random = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(2 * count, 5, generator=random)).double()


def loop(both: Tensor, temperature: float | Tensor, alike: list[tuple[int, int]]) -> Tensor:
    """1/2 (mean_i -log(e_ii / sum_j e_ij) + mean_j -log(e_jj / sum_i e_ij)) with e_ij = exp(x_i . y_j / T)."""
    images, texts = both.chunk(2)
    count = len(images)
    total = torch.zeros((), dtype=both.dtype)
    for i in range(count):
        own = ((images[i] * texts[i]).sum() / temperature).exp()
        others = [j for j in range(count) if j != i and (i, j) not in alike and (j, i) not in alike]
        row = own + sum(((images[i] * texts[j]).sum() / temperature).exp() for j in others)
        column = own + sum(((images[j] * texts[i]).sum() / temperature).exp() for j in others)
        total = total - (own / row).log() - (own / column).log()
    return total / (2 * count)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("temperature", [0.07, 1.0])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_equals_the_loop(count: int, temperature: float, dtype: torch.dtype) -> None:
    both = draw(count)
    got = value_and_gradient(lambda x: info_nce_loss(*x.chunk(2), temperature=temperature), both.to(dtype))
    assert got[0].dtype == dtype
    assert_same(got, value_and_gradient(lambda x: loop(x, temperature, []), both), TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("ids", "alike"),
    [
        ({"image_ids": torch.tensor([4, 4, 1, 0, -3])}, [(0, 1)]),
        ({"text_ids": torch.tensor([1, 2, 3, 1, 1])}, [(0, 3), (0, 4), (3, 4)]),
        (
            {"image_ids": torch.tensor([0, 1, 0, 2, 3]), "text_ids": torch.tensor([0, 1, 2, 0, 3])},
            [(0, 2), (0, 3)],
        ),
        ({"image_ids": torch.zeros(5, dtype=torch.int64)}, [(i, j) for i in range(5) for j in range(5)]),
    ],
    ids=["one picture twice", "one text thrice", "both", "all one picture"],
)
def test_rows_alike_are_no_wrong_answers(ids: dict, alike: list) -> None:
    both = draw(5)
    got = value_and_gradient(lambda x: info_nce_loss(*x.chunk(2), **ids), both)
    assert_same(got, value_and_gradient(lambda x: loop(x, 0.07, alike), both), 1e-10)


def test_gradcheck_with_the_temperature() -> None:
    inputs = (draw(4).requires_grad_(), torch.tensor(0.3, dtype=torch.float64, requires_grad=True))
    ids = torch.tensor([0, 1, 1, 2])
    assert torch.autograd.gradcheck(lambda x, t: info_nce_loss(*x.chunk(2), temperature=t, image_ids=ids), inputs)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_order_and_rotation_do_not_matter_nor_which_side_is_which(seed: int, count: int) -> None:
    images, texts = draw(count, seed).chunk(2)
    value = info_nce_loss(images, texts)
    order, turn = torch.randperm(count), torch.linalg.qr(torch.randn(5, 5).double()).Q
    torch.testing.assert_close(info_nce_loss(images[order] @ turn, texts[order] @ turn), value)
    torch.testing.assert_close(info_nce_loss(texts, images), value)


def test_no_pair_and_huge_scores_and_half_precision() -> None:
    images, texts = draw(3).float().chunk(2)
    assert info_nce_loss(images[:0], texts[:0]) == 0
    value, gradient = value_and_gradient(lambda x: info_nce_loss(*x.chunk(2), temperature=1e-4), draw(3).float())
    assert value.isfinite()
    assert gradient.isfinite().all()
    halves = info_nce_loss(images.bfloat16(), texts.bfloat16())
    exact = info_nce_loss(images.bfloat16().double(), texts.bfloat16().double()).float()
    torch.testing.assert_close(halves, exact)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(info_nce_loss(images, texts), info_nce_loss(images.double(), texts.double()).float())


def test_the_temperature_is_learned_and_can_come_back_from_its_limit() -> None:
    images, texts = draw(4).float().chunk(2)
    loss = InfoNCELoss(temperature=0.01)
    assert loss.temperature == pytest.approx(0.01)
    torch.testing.assert_close(loss(images, texts), info_nce_loss(images, texts, temperature=0.01))
    with torch.no_grad():
        loss.log_scale.add_(5)
    # Pairs at random: a higher temperature is better.
    loss(images, texts.flip(0)).backward()
    assert loss.temperature == pytest.approx(0.01)
    assert loss.log_scale.grad > 0
    ids = torch.tensor([0, 0, 1, 2])
    with_ids = loss(images, texts, image_ids=ids, text_ids=ids.flip(0))
    wanted = info_nce_loss(images, texts, temperature=0.01, image_ids=ids, text_ids=ids.flip(0))
    torch.testing.assert_close(with_ids, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": torch.zeros(3, 2)}, r"images are \(4, 2\), texts \(3, 2\)"),
        ({"texts": torch.full((4, 2), torch.nan)}, "texts: 4 of 4 rows hold NaN"),
        ({"images": torch.zeros(4)}, "images: expected floating-point"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"image_ids": torch.zeros(3, dtype=torch.int64)}, "image_ids: 3 given for 4"),
        ({"text_ids": torch.zeros(4)}, "text_ids: expected whole numbers"),
    ],
)
def test_bad_input_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        unwrap(info_nce_loss)(**{"images": torch.zeros(4, 2), "texts": torch.zeros(4, 2), **change})


def test_a_temperature_too_low_to_begin_with_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"temperature is 0.005, expected at least 0.01"):
        InfoNCELoss(temperature=0.005)


def test_all_that_is_right_counts() -> None:
    """A mean over the right texts of each picture, and the right pictures of each text."""
    both, ids = draw(6), torch.tensor([0, 0, 1, 2, 2, 2])
    right = ids[:, None] == ids

    def mean_of_right(x: Tensor) -> Tensor:
        images, texts = x.chunk(2)
        scores = images @ texts.T / 0.5
        total = torch.zeros((), dtype=x.dtype)
        for dim in (1, 0):
            logs = scores.log_softmax(dim)
            total = total - ((logs * right).sum(dim) / right.sum(dim)).mean() / 2
        return total

    got = value_and_gradient(
        lambda x: info_nce_loss(*x.chunk(2), temperature=0.5, image_ids=ids, positives="all"), both
    )
    assert_same(got, value_and_gradient(mean_of_right, both), TOLERANCE[torch.float64])
    with pytest.raises(InvalidInput, match="positives is 'some'"):
        unwrap(info_nce_loss)(*both.chunk(2), positives="some")
    with pytest.raises(InvalidInput, match="positives is 'some'"):
        unwrap(InfoNCELoss.__init__)(InfoNCELoss.__new__(InfoNCELoss), positives="some")
