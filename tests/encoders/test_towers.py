"""Towers: every pooling and cell, shapes, what padding must not change, and names that do not exist."""

import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nearkin.encoders.backbones.conv4 import Conv4
from nearkin.encoders.backbones.resnet12 import ResNet12
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.pooling import POOLINGS, Pooling
from nearkin.encoders.texts._recurrent import CELLS, TextTower, TextTowerConfig
from nearkin.errors import ArtefactError, InvalidInput, UnknownName


@pytest.mark.parametrize("backbone", ["conv4", "resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
@pytest.mark.parametrize("channels", [1, 3])
def test_maps_and_tokens_become_vectors(backbone: str, channels: int) -> None:
    tower = ImageTower(ImageTowerConfig(backbone, dim=7, channels=channels, height=64, width=64)).eval()
    assert tower(torch.rand(2, channels, 64, 64)).shape == (2, 7)


@pytest.mark.parametrize("kind", POOLINGS)
def test_pooling_by_its_definition(kind: str) -> None:
    features = torch.rand(3, 5, 8, generator=torch.Generator().manual_seed(0)) + 0.1
    pooled = Pooling(kind, p=3.0)(features)
    expected = {
        "avg": features.sum(2) / 8,
        "max": features.max(2).values,
        "gem": ((features**3).sum(2) / 8) ** (1 / 3),
        "flatten": features.reshape(3, 40),
    }[kind]
    torch.testing.assert_close(pooled, expected)


def test_gem_lies_between_average_and_maximum_and_learns_its_exponent() -> None:
    features = torch.rand(4, 6, 9)
    gem = Pooling("gem")
    pooled = gem(features)
    assert ((pooled >= features.mean(2)) & (pooled <= features.amax(2))).all()
    pooled.sum().backward()
    assert gem.p.grad != 0


def test_transformer_takes_the_size_asked_for() -> None:
    tower = ImageTower(ImageTowerConfig("vit_tiny_patch16_224", dim=4, height=32, width=48)).eval()
    assert tower(torch.rand(1, 3, 32, 48)).shape == (1, 4)


def test_unknown_names_suggest_near_ones() -> None:
    with pytest.raises(UnknownName, match="unknown backbone 'resnet81': did you mean resnet18"):
        ImageTower(ImageTowerConfig("resnet81", dim=4))
    with pytest.raises(UnknownName, match=r"unknown pooling 'mean': did you mean max\? known: avg, flatten, gem, max"):
        Pooling("mean")
    with pytest.raises(UnknownName, match="unknown text cell 'rnn'"):
        TextTower(TextTowerConfig(10, 4, cell="rnn"))


def test_size_that_the_backbone_cannot_take() -> None:
    with pytest.raises(InvalidInput, match="cannot take pictures of 8 x 8"):
        ImageTower(ImageTowerConfig("conv4", dim=4, height=8, width=8))


def test_weights_from_a_file(tmp_path) -> None:
    config = ImageTowerConfig("conv4", dim=4, channels=1)
    torch.manual_seed(0)
    network = Conv4(channels=1)
    save_file(network.state_dict(), str(tmp_path / "conv4.safetensors"))
    tower = ImageTower(config, str(tmp_path / "conv4.safetensors"))
    torch.testing.assert_close(dict(tower.backbone.state_dict()), dict(network.state_dict()))
    with pytest.raises(ArtefactError, match="no such file"):
        ImageTower(config, str(tmp_path / "nothing.safetensors"))
    partial = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("3.")}
    save_file(partial, str(tmp_path / "partial.safetensors"))
    with pytest.raises(ArtefactError, match="tensors are missing"):
        ImageTower(config, str(tmp_path / "partial.safetensors"))


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("cat.jpg", b"no picture")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("broken.safetensors", lambda path: path.write_bytes(b"not weights")),
        ("broken.pt", lambda path: path.write_bytes(b"not weights")),
        ("empty.pth", lambda path: path.write_bytes(b"")),
        ("photos.zip", write_zip),
        ("list.pt", lambda path: torch.save([1, 2], path)),
        ("code.pt", lambda path: torch.save({"state_dict": {"0.weight": torch.zeros(1)}, "code": print}, path)),
        ("shapes.pt", lambda path: torch.save(Conv4(channels=3).state_dict(), path)),
    ],
)
def test_a_file_that_holds_no_weights_is_refused_in_one_line(tmp_path, name, write) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(ArtefactError) as refused:
        ImageTower(ImageTowerConfig("conv4", dim=4, channels=1), str(path))
    message = str(refused.value)
    assert message.startswith(f"weights '{path}' cannot be read as weights of 'conv4': ")
    if name == "shapes.pt":
        assert (
            "1 of its tensors are of another shape, the first is 0.0.weight: (64, 3, 3, 3), expected (64, 1," in message
        )
    else:
        assert "expected tensors by name" in message
    assert "\n" not in message
    # Nothing of torch's own advice, such as to load it unsafely.
    assert "weights_only" not in message


def test_conv4_has_no_pretrained_weights() -> None:
    with pytest.raises(InvalidInput, match="trained from scratch"):
        ImageTower(ImageTowerConfig("conv4", dim=4), "pretrained")


@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_no_text(cell: str) -> None:
    torch.manual_seed(1)
    tower = TextTower(TextTowerConfig(tokens=20, dim=6, cell=cell, width=5)).eval()
    alone = tower(torch.tensor([[4, 9]]), torch.tensor([2]))
    padded = tower(torch.tensor([[4, 9, 0, 0], [3, 5, 7, 8]]), torch.tensor([2, 4]))
    torch.testing.assert_close(alone[0], padded[0])


def test_word_order_matters() -> None:
    torch.manual_seed(1)
    tower = TextTower(TextTowerConfig(tokens=20, dim=6, width=5)).eval()
    there, back = tower(torch.tensor([[4, 9, 7], [7, 9, 4]]), torch.tensor([3, 3]))
    assert not torch.allclose(there, back, atol=1e-4)


@pytest.mark.parametrize(("backbone", "features"), [("conv4", 5), ("resnet12", 50), ("resnet18", 512)])
def test_options_of_the_backbone(backbone: str, features: int) -> None:
    options = {"width": 5} if backbone != "resnet18" else {"drop_path_rate": 0.1}
    tower = ImageTower(ImageTowerConfig(backbone, dim=4, channels=1, options=options)).eval()
    assert tower.projection.in_features == features
    assert tower(torch.zeros(2, 1, 64, 64)).shape == (2, 4)


def test_conv4_is_convolution_norm_relu_and_pooling() -> None:
    block = Conv4(channels=1, width=4)[0].eval()
    pictures = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    features = block[1](block[0](pictures)).clamp(min=0)
    torch.testing.assert_close(block(pictures), features.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5)))


def test_resnet12_adds_its_shortcut() -> None:
    """With the convolutions' last norm at 0, a block is the pooled leaky shortcut."""
    block = ResNet12(channels=3, width=4)[0].eval()
    torch.nn.init.zeros_(block.layers[-1].weight)
    pictures = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    shortcut = block.shortcut(pictures)
    expected = torch.where(shortcut > 0, shortcut, 0.1 * shortcut).unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    torch.testing.assert_close(block(pictures), expected)


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        ("conv4", {"widht": 8}, "unknown option of backbone 'conv4', 'widht': did you mean width"),
        ("resnet12", {"width": 0}, "backbone 'resnet12': width is 0, expected a whole number above 0"),
        ("conv4", {"width": "8"}, "width is '8'"),
        ("resnet18", {"widht": 8}, "backbone 'resnet18' cannot be made with the options widht"),
    ],
)
def test_options_that_the_backbone_does_not_take(backbone: str, options: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ImageTower(ImageTowerConfig(backbone, dim=4, options=options))
