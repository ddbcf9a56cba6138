"""SigLIP against a loop over all pictures and texts."""

from inspect import unwrap

import pytest
import torch
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses import SigLIPLoss, siglip_loss
from tests.losses.captions.test_info_nce import draw
from tests.losses.cases import TOLERANCE, assert_same, value_and_gradient


def loop(both: Tensor, temperature: float, bias: float, alike: list[tuple[int, int]]) -> Tensor:
    """-1/B sum_ij log sigmoid(z_ij (t x_i . y_j + b))."""
    images, texts = both.chunk(2)
    total = both.sum() * 0
    for i, image in enumerate(images):
        for j, text in enumerate(texts):
            if i == j or not ((i, j) in alike or (j, i) in alike):
                sign = 1 if i == j else -1
                total = total - (1 / (1 + (-sign * (temperature * image @ text + bias)).exp())).log()
    return total / max(1, len(images))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("temperature", "bias"), [(10.0, -10.0), (2.0, 1.0)])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_equals_the_loop(count: int, temperature: float, bias: float, dtype: torch.dtype) -> None:
    both = draw(count)
    got = value_and_gradient(
        lambda x: (
            siglip_loss(*x.chunk(2), temperature=temperature, bias=bias)
            if count
            else siglip_loss(x[:0], x[:0], temperature=temperature, bias=bias)
        ),
        both.to(dtype),
    )
    assert got[0].dtype == dtype
    wanted = value_and_gradient(lambda x: loop(x, temperature, bias, []) if count else x.sum(), both)
    assert_same(got, wanted, TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("ids", "alike"),
    [
        ({"image_ids": torch.tensor([4, 4, 1, 0, -3])}, [(0, 1)]),
        ({"text_ids": torch.tensor([1, 2, 3, 1, 1])}, [(0, 3), (0, 4), (3, 4)]),
    ],
    ids=["one picture twice", "one text thrice"],
)
def test_pairs_alike_are_left_out(ids: dict, alike: list) -> None:
    both = draw(5)
    got = value_and_gradient(lambda x: siglip_loss(*x.chunk(2), temperature=3.0, bias=-1.0, **ids), both)
    assert_same(got, value_and_gradient(lambda x: loop(x, 3.0, -1.0, alike), both), 1e-10)


def test_gradcheck_with_temperature_and_bias() -> None:
    numbers = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (2.0, -0.5))
    ids = torch.tensor([0, 1, 1, 2])
    assert torch.autograd.gradcheck(
        lambda x, t, b: siglip_loss(*x.chunk(2), temperature=t, bias=b, image_ids=ids),
        (draw(4).requires_grad_(), *numbers),
    )


def test_order_and_rotation_do_not_matter_nor_which_side_is_which() -> None:
    images, texts = draw(6).chunk(2)
    value = siglip_loss(images, texts, temperature=2.0, bias=-1.0)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(2)).double()).Q
    for changed in ((images[order] @ turn, texts[order] @ turn), (texts, images)):
        torch.testing.assert_close(siglip_loss(*changed, temperature=2.0, bias=-1.0), value)


def test_huge_scores_and_half_precision() -> None:
    value, gradient = value_and_gradient(lambda x: siglip_loss(*x.chunk(2), temperature=1e4), draw(3).float())
    assert value.isfinite()
    assert gradient.isfinite().all()
    images, texts = draw(3).float().chunk(2)
    exact = siglip_loss(images.bfloat16().double(), texts.bfloat16().double()).float()
    torch.testing.assert_close(siglip_loss(images.bfloat16(), texts.bfloat16()), exact)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(siglip_loss(images, texts), siglip_loss(images.double(), texts.double()).float())


def test_temperature_and_bias_are_learned() -> None:
    images, texts = draw(4).float().chunk(2)
    loss = SigLIPLoss(temperature=3.0, bias=-2.0)
    torch.testing.assert_close(loss(images, texts), siglip_loss(images, texts, temperature=3.0, bias=-2.0))
    ids = {"image_ids": torch.tensor([0, 0, 1, 2]), "text_ids": torch.tensor([0, 1, 2, 2])}
    torch.testing.assert_close(
        loss(images, texts, **ids), siglip_loss(images, texts, temperature=3.0, bias=-2.0, **ids)
    )
    loss(images, texts).backward()
    assert loss.log_temperature.grad != 0
    assert loss.bias.grad != 0
    begun = SigLIPLoss()
    assert begun.log_temperature.exp().item() == pytest.approx(10)
    assert begun.bias == -10


def test_the_gradient_stops_at_the_first_derivative() -> None:
    both = draw(3).requires_grad_()
    with pytest.raises(InvalidInput, match="leave out create_graph"):
        torch.autograd.grad(siglip_loss(*both.chunk(2)), both, create_graph=True)
    with torch.no_grad():
        assert siglip_loss(*both.chunk(2)) == siglip_loss(*both.detach().chunk(2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": torch.zeros(3, 2)}, r"images are \(4, 2\), texts \(3, 2\)"),
        ({"images": torch.full((4, 2), torch.nan)}, "images: 4 of 4 rows hold NaN"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"bias": float("nan")}, "bias is nan, expected a finite number"),
        ({"image_ids": torch.zeros(3, dtype=torch.int64)}, "image_ids: 3 given for 4"),
    ],
)
def test_bad_input_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        unwrap(siglip_loss)(**{"images": torch.zeros(4, 2), "texts": torch.zeros(4, 2), **change})
