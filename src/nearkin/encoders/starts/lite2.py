"""EfficientNet-lite2 with ImageNet weights."""

from nearkin.encoders.starts._efficientnet_lite import efficientnet_lite

START = efficientnet_lite(
    2,
    summary="Photos of any kind; the slowest of the three.",
    file="efficientnet-lite2-9656183e.pth",
    size=24666229,
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    side=224,
)
