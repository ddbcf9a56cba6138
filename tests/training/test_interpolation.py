"""Weights between two sets: the ends are exact, and towers that did not start from weights stay as they are."""

import torch

from nearkin.training.interpolation import interpolated


def test_ends_and_middle() -> None:
    generator = torch.Generator().manual_seed(0)
    start = {"w": torch.randn(5, generator=generator), "count": torch.tensor(1)}
    tuned = {"w": torch.randn(5, generator=generator), "count": torch.tensor(7), "text": torch.ones(2)}
    assert torch.equal(interpolated(start, tuned, 0.0)["w"], start["w"])
    assert torch.equal(interpolated(start, tuned, 1.0)["w"], tuned["w"])
    middle = interpolated(start, tuned, 0.5)
    torch.testing.assert_close(middle["w"], (start["w"] + tuned["w"]) / 2)
    assert (int(middle["count"]), middle["text"].tolist()) == (7, [1, 1])
