"""Rates of a network's stages fall from top to bottom, whatever the network is called."""

import pytest
import timm

from nearkin.encoders.backbones import BACKBONES
from nearkin.training.layer_rates import stage_rates


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet10t", "conv4", "resnet12"])
def test_rates_rise_towards_the_top(name: str) -> None:
    network = BACKBONES[name](3) if name in BACKBONES else timm.create_model(name, num_classes=0)
    rates = [stage_rates(network, 0.5)[weight] for weight in network.parameters()]
    assert rates[-1] == 1
    assert len(set(rates)) >= 4
    if name != "tf_efficientnet_lite0":
        assert rates == sorted(rates)
    assert set(stage_rates(network, 1.0).values()) == {1.0}


def test_the_last_norm_is_of_the_head() -> None:
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    rates = {name: stage_rates(network, 0.5)[weight] for name, weight in network.named_parameters()}
    assert rates["conv_head.weight"] == rates["bn2.weight"] == 1
    assert rates["blocks.6.0.conv_pw.weight"] == 0.5
    assert rates["conv_stem.weight"] == rates["bn1.weight"] == 0.5**8
