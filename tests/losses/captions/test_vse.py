"""VSE++ against a loop over all pictures and texts."""

from inspect import unwrap

import pytest
import torch
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import vse_loss
from tests.losses.captions.test_info_nce import draw
from tests.losses.cases import TOLERANCE, assert_same, value_and_gradient, value_of


def loop(both: Tensor, margin: float, alike: list[tuple[int, int]]) -> Tensor:
    """max_c' [M + s(i, c') - s(i, c)]+ + max_i' [M + s(i', c) - s(i, c)]+, the mean over pairs."""
    images, texts = both.chunk(2)
    total = both.sum() * 0
    for i in range(len(images)):
        wrong = [j for j in range(len(images)) if j != i and not ((i, j) in alike or (j, i) in alike)]
        own = images[i] @ texts[i]
        for scores in ([images[i] @ texts[j] for j in wrong], [images[j] @ texts[i] for j in wrong]):
            if scores:
                total = total + (margin + max(scores, key=value_of) - own).relu()
    return total / max(1, len(images))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("margin", [0.2, 2.0])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_equals_the_loop(count: int, margin: float, dtype: torch.dtype) -> None:
    both = draw(count)

    def ours(x: Tensor) -> Tensor:
        images, texts = x.chunk(2) if count else (x, x)
        return vse_loss(images, texts, margin=margin)

    got = value_and_gradient(ours, both.to(dtype))
    assert got[0].dtype == dtype
    wanted = value_and_gradient(lambda x: loop(x, margin, []) if count else x.sum(), both)
    assert_same(got, wanted, TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("ids", "alike"),
    [
        ({"image_ids": torch.tensor([4, 4, 1, 0, -3])}, [(0, 1)]),
        ({"text_ids": torch.tensor([1, 2, 3, 1, 1])}, [(0, 3), (0, 4), (3, 4)]),
        ({"image_ids": torch.zeros(5, dtype=torch.int64)}, [(i, j) for i in range(5) for j in range(5)]),
    ],
    ids=["one picture twice", "one text thrice", "all one picture"],
)
def test_pairs_alike_are_no_negatives(ids: dict, alike: list) -> None:
    both = draw(5)
    got = value_and_gradient(lambda x: vse_loss(*x.chunk(2), margin=2.0, **ids), both)
    assert_same(got, value_and_gradient(lambda x: loop(x, 2.0, alike), both), 1e-10)


def test_gradcheck_and_second_derivative() -> None:
    assert torch.autograd.gradcheck(lambda x: vse_loss(*x.chunk(2), margin=1.0), draw(4).requires_grad_())


def test_order_and_rotation_do_not_matter_nor_which_side_is_which() -> None:
    images, texts = draw(6).chunk(2)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(2)).double()).Q
    for changed in ((images[order] @ turn, texts[order] @ turn), (texts, images)):
        torch.testing.assert_close(vse_loss(*changed), vse_loss(images, texts))


def test_half_precision_is_computed_in_full() -> None:
    images, texts = draw(3).float().chunk(2)
    exact = vse_loss(images.bfloat16().double(), texts.bfloat16().double()).float()
    torch.testing.assert_close(vse_loss(images.bfloat16(), texts.bfloat16()), exact)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(vse_loss(images, texts), vse_loss(images.double(), texts.double()).float())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": torch.zeros(3, 2)}, r"images are \(4, 2\), texts \(3, 2\)"),
        ({"margin": 0.0}, "margin is 0.0"),
        ({"text_ids": torch.zeros(4)}, "text_ids: expected whole numbers"),
    ],
)
def test_bad_input_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        unwrap(vse_loss)(**{"images": torch.zeros(4, 2), "texts": torch.zeros(4, 2), **change})
