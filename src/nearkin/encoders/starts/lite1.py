"""EfficientNet-lite1 with ImageNet weights."""

from nearkin.encoders.starts._efficientnet_lite import efficientnet_lite

START = efficientnet_lite(
    1,
    summary="Photos of any kind; slower than lite0.",
    file="efficientnet-lite1-77cc7160.pth",
    size=21946926,
    sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    side=224,
)
