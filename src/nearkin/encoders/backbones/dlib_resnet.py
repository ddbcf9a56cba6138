"""The residual network of dlib's face recognition: 29 convolutions on aligned faces of 150 x 150 pixels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from nearkin.errors import InvalidInput

# Channels of the blocks; a negative number halves the picture.
_BLOCKS = (32, 32, 32, -64, 64, 64, 64, -128, 128, 128, -256, 256, 256, -256)


class DlibResNet(nn.Module):
    """Faces to maps of 256 features.

    Args:
        channels: of the picture: 3.
        views: 2 to average the features of a face and of its mirror image.

    Example:
        >>> DlibResNet()(torch.zeros(2, 3, 150, 150)).shape
        torch.Size([2, 256, 2, 2])

    Source: King 2017, http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html; He et al. 2016,
        arXiv:1512.03385.
    """

    default_pooling = "avg"
    largest_size = 150

    def __init__(self, channels: int = 3, views: int = 1) -> None:
        super().__init__()
        if channels != 3:
            raise InvalidInput(f"backbone 'dlib_resnet' takes pictures of 3 channels, not {channels}")
        self.views = views
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 7, stride=2), Affine(32), nn.ReLU(), nn.MaxPool2d(3, stride=2))
        blocks, before = [], 32
        for width in _BLOCKS:
            blocks.append(_Block(before, abs(width), 1 if width > 0 else 2))
            before = abs(width)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, pictures: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n 256 rows columns"]:
        features: Tensor = self.blocks(self.stem(pictures))
        if self.views > 1:
            features = (features + self.blocks(self.stem(pictures.flip(3)))) / 2
        return features


class Affine(nn.Module):
    """A scale and an offset for each channel: what batch normalisation is after training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Float[Tensor, "n channels rows columns"]) -> Float[Tensor, "n channels rows columns"]:
        return features * self.weight[:, None, None] + self.bias[:, None, None]


class _Block(nn.Module):
    """Two convolutions, added to what came in; zeros where one of the two is larger."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.body = nn.Sequential(
            # dlib pads what it does not shrink.
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1 if stride == 1 else 0),
            Affine(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            Affine(outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.body(features)
        kept = features if self.stride == 1 else F.avg_pool2d(features, 2)
        size = [max(a, b) for a, b in zip(changed.shape[1:], kept.shape[1:], strict=True)]
        return F.relu(_padded(changed, size) + _padded(kept, size))


def _padded(features: Tensor, size: list[int]) -> Tensor:
    """Zeros behind the last channel, row and column, up to a size."""
    channels, rows, columns = (wanted - here for wanted, here in zip(size, features.shape[1:], strict=True))
    return F.pad(features, (0, columns, 0, rows, 0, channels)) if channels or rows or columns else features


BACKBONE = DlibResNet
