"""Views: each picture its own, the same for the same generator, and what each range may and may not change."""

import pytest
import torch

from nearkin.errors import InvalidInput, UnknownName
from nearkin.training.augmentation import AUGMENTATIONS, Augmentation, augmentation


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(6, 3, 24, 32, generator=generator(9))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_views_stay_pictures(name: str, pictures: torch.Tensor) -> None:
    views = augmentation(name)(pictures, generator=generator())
    assert views.shape == pictures.shape
    assert views.min() >= 0
    assert views.max() <= 1
    torch.testing.assert_close(views, augmentation(name)(pictures, generator=generator()))
    if name != "none":
        assert not torch.allclose(views, augmentation(name)(pictures, generator=generator(1)), atol=1e-3)


def test_none_changes_nothing(pictures: torch.Tensor) -> None:
    torch.testing.assert_close(augmentation("none")(pictures, generator=generator()), pictures)


def test_equal_pictures_get_different_views(pictures: torch.Tensor) -> None:
    views = augmentation("photo")(pictures[:1].expand(6, -1, -1, -1), generator=generator())
    for first in range(6):
        for second in range(first):
            assert not torch.allclose(views[first], views[second], atol=1e-3)


def test_flip_mirrors_about_half_of_the_pictures() -> None:
    pictures = torch.rand(200, 1, 8, 8, generator=generator(3))
    views = Augmentation(flip=True)(pictures, generator=generator())
    mirrored = torch.isclose(views, pictures.flip(3), atol=1e-5).all((1, 2, 3))
    same = torch.isclose(views, pictures, atol=1e-5).all((1, 2, 3))
    assert (mirrored | same).all()
    assert 70 < mirrored.sum() < 130


def test_rotation_is_rigid_on_oblong_pictures() -> None:
    """A dot keeps its distance in pixels from the centre, whatever the aspect."""
    picture = torch.zeros(100, 1, 40, 80)
    picture[:, :, 19:22, 55:58] = 1
    views = Augmentation(rotation=30.0)(picture, generator=generator())
    rows = (views.sum((1, 3)) * torch.arange(40)).sum(1) / views.sum((1, 2, 3)) - 19.5
    columns = (views.sum((1, 2)) * torch.arange(80)).sum(1) / views.sum((1, 2, 3)) - 39.5
    distance = torch.hypot(rows, columns)
    torch.testing.assert_close(distance, torch.full((100,), 16.51), atol=0.35, rtol=0)
    assert rows.abs().max() > 6


def test_shift_moves_at_most_its_range() -> None:
    picture = torch.zeros(100, 1, 50, 50)
    picture[:, :, 25, 25] = 1
    views = Augmentation(translation=0.1)(picture, generator=generator())
    columns = (views.sum((1, 2)) * torch.arange(50)).sum(1) / views.sum((1, 2, 3)) - 25
    assert columns.abs().max() <= 5.01
    assert columns.abs().max() > 3


def test_grey_stays_grey_and_white_stays_white() -> None:
    grey = torch.rand(5, 1, 16, 16, generator=generator(1)).expand(-1, 3, -1, -1)
    views = Augmentation(saturation=0.5, contrast=0.5)(grey, generator=generator())
    torch.testing.assert_close(views[:, 0], views[:, 2])
    white = torch.ones(5, 1, 16, 16)
    torch.testing.assert_close(augmentation("drawing")(white, generator=generator()), white)


def test_erasing_takes_a_rectangle_of_at_most_its_share() -> None:
    pictures = torch.rand(100, 1, 20, 20, generator=generator(4))
    changed = Augmentation(erase=0.5)(pictures, generator=generator()) != pictures
    assert changed.sum((1, 2, 3)).max() <= 11 * 11
    assert changed.any((1, 2, 3)).sum() > 80


def test_unknown_name() -> None:
    with pytest.raises(UnknownName, match="unknown augmentation 'foto'"):
        augmentation("foto")


def test_elastic_pulls_points_smoothly_and_at_most_so_far() -> None:
    """Where a ramp of brightness lands tells how far each point was moved."""
    ramp = torch.linspace(0, 1, 64).expand(20, 1, 64, 64)
    moved = 64 * (Augmentation(elastic=0.05)(ramp, generator=generator()) - ramp)[:, :, 8:-8, 8:-8]
    # Bicubic interpolation may pass its points by some share.
    assert 1.5 < moved.abs().max() < 1.5 * 0.05 * 64
    assert moved.diff(dim=2).abs().max() < 1
    assert moved.std((2, 3)).min() > 0.3, "a deformation, not a shift"


def test_thickness_moves_each_pixel_towards_an_extreme_of_its_neighbours() -> None:
    pictures = torch.rand(50, 1, 12, 12, generator=generator(5))
    views = Augmentation(thickness=1.0)(pictures, generator=generator())
    padded = torch.nn.functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
    around = padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4)
    up = (views - pictures) / (around.amax(4) - pictures).clamp(min=1e-6)
    down = (views - pictures) / (around.amin(4) - pictures).clamp(max=-1e-6)
    share = torch.where((up.amax((1, 2, 3)) > 1e-4)[:, None, None, None], up, down)
    inside = share[:, 0].flatten(1)
    torch.testing.assert_close(inside.amax(1), inside.median(1).values, atol=2e-3, rtol=0)
    lighter = (views >= pictures - 1e-6).all((1, 2, 3))
    assert 10 < lighter.sum() < 40, "about half of the pictures get thicker, the others thinner"


def test_blur_keeps_the_mean_and_takes_contrast() -> None:
    pictures = torch.rand(50, 1, 32, 32, generator=generator(6))
    views = Augmentation(blur=1.0)(pictures, generator=generator())
    torch.testing.assert_close(views.mean((1, 2, 3)), pictures.mean((1, 2, 3)), atol=1e-2, rtol=0)
    assert (views.std((1, 2, 3)) < pictures.std((1, 2, 3))).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotatoin": 5}, "unknown option of an augmentation, 'rotatoin': did you mean rotation"),
        ({"erase": 1.5}, "augmentation: erase is 1.5, expected 0 to 1"),
        ({"scale": 0.5}, "augmentation: scale is 0.5, expected 1 to 100"),
        ({"blur": "much"}, "blur is 'much'"),
        ({"shear": float("nan")}, "shear is nan"),
    ],
)
def test_options_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        augmentation("photo", options)


def test_options_replace_the_named_values_only() -> None:
    changed = augmentation("strokes", {"elastic": 0.1})
    assert (changed.elastic, changed.rotation) == (0.1, AUGMENTATIONS["strokes"].rotation)
