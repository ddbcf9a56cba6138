"""conv4: the small network of the few-shot literature, four blocks of convolution, batch norm, ReLU, max-pool."""

from jaxtyping import Float
from torch import Tensor, nn


class Conv4(nn.Sequential):
    """Four blocks of 3x3 convolution, each halving the picture.

    Args:
        channels: channels of the picture, 1 for grey.
        width: channels of each block.

    Example:
        >>> import torch
        >>> Conv4(channels=1)(torch.zeros(2, 1, 64, 64)).shape
        torch.Size([2, 64, 4, 4])

    Source: Vinyals et al. 2016, arXiv:1606.04080; Snell et al. 2017, arXiv:1703.05175.
    """

    default_pooling = "flatten"
    largest_size = 64

    def __init__(self, channels: int = 3, width: int = 64) -> None:
        super().__init__(*(_block(channels if block == 0 else width, width) for block in range(4)))

    def forward(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n features rows columns"]:
        return super().forward(pictures)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    # The batch norm has its own offset, so the convolution needs none.
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    # The largest number passes a ReLU as it is: pooling first gives the same, from a quarter of the work.
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.MaxPool2d(2), nn.ReLU())


BACKBONE = Conv4
