"""lite012: EfficientNet-lite0, lite1 and lite2 side by side, their features behind each other."""

import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn

NETWORKS = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")


class Lite012(nn.Module):
    """Three networks of timm that see the same picture; 3 x 1,280 features.

    Networks that were trained alike from other random weights err differently, so all of them together tell more than
    the largest one.

    Args:
        channels: channels of the picture, 1 for grey.

    Example:
        >>> Lite012()(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 3840, 2, 2])

    Source: Tan & Le 2019, arXiv:1905.11946; ensembles: Hansen & Salamon 1990, doi:10.1109/34.58871.
    """

    default_pooling = "avg"
    largest_size = 224

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        # Seconds to import, and the other networks of this package need none of it.
        import timm

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.networks = nn.ModuleList(
                timm.create_model(name, in_chans=channels, num_classes=0, global_pool="") for name in NETWORKS
            )

    def forward(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n features rows columns"]:
        return torch.cat([network(pictures) for network in self.networks], dim=1)


BACKBONE = Lite012
