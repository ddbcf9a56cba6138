"""resnet12: the larger network of the few-shot literature, four residual blocks of three convolutions."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

# Leak of the ReLUs.
SLOPE = 0.1


class ResNet12(nn.Sequential):
    """Four residual blocks of three 3x3 convolutions, each halving the picture; 1, 2.5, 5 and 10 times `width` wide.

    Args:
        channels: channels of the picture, 1 for grey.
        width: channels of the first block; 64 in the literature. The cost grows with its square.

    Example:
        >>> import torch
        >>> ResNet12(channels=1, width=8)(torch.zeros(2, 1, 32, 32)).shape
        torch.Size([2, 80, 2, 2])

    Source: Oreshkin et al. 2018, arXiv:1805.10123; widths and leaks as in Lee et al. 2019, arXiv:1904.03758, whose
    DropBlock is left out.
    """

    default_pooling = "avg"
    largest_size = 64

    def __init__(self, channels: int = 3, width: int = 64) -> None:
        widths = [channels, width, round(2.5 * width), 5 * width, 10 * width]
        super().__init__(*(_Block(inputs, outputs) for inputs, outputs in pairwise(widths)))

    def forward(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n features rows columns"]:
        return super().forward(pictures)


class _Block(nn.Module):
    """max-pool(leaky ReLU(three convolutions + shortcut))."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(inputs, outputs, 3),
            nn.LeakyReLU(SLOPE, inplace=True),
            *_convolution(outputs, outputs, 3),
            nn.LeakyReLU(SLOPE, inplace=True),
            *_convolution(outputs, outputs, 3),
        )
        self.shortcut = nn.Sequential(*_convolution(inputs, outputs, 1))

    def forward(self, features: Tensor) -> Tensor:
        # A leaky ReLU keeps the order of numbers: pooling first gives the same, from a quarter of the work.
        return F.leaky_relu(F.max_pool2d(self.layers(features) + self.shortcut(features), 2), SLOPE)


def _convolution(inputs: int, outputs: int, size: int) -> tuple[nn.Module, nn.Module]:
    # The batch norm has its own offset, so the convolution needs none.
    convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, SLOPE, mode="fan_out", nonlinearity="leaky_relu")
    return convolution, nn.BatchNorm2d(outputs)


BACKBONE = ResNet12
