"""Random views of a batch of pictures, each picture with its own, on the device where training runs.

torchvision's transforms draw one set of parameters for a whole batch; here every picture has its own, in one
`grid_sample` and a few products, with nothing per picture in Python.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from nearkin.errors import InvalidInput, UnknownName

# Points to a side of the grid whose random shifts deform a picture, smoothly between them.
ELASTIC_POINTS = 5


@dataclass(frozen=True)
class Augmentation:
    """How far a view may differ from its picture; each range is uniform.

    Args:
        rotation: degrees, either way.
        translation: share of the side, either way.
        scale: largest factor by which a view is zoomed in or out, >= 1.
        shear: degrees, either way, at most 80.
        elastic: largest shift of the points of a 5 x 5 grid, share of the side; the picture follows them like rubber.
        flip: whether half of the views are mirrored left to right.
        brightness, contrast, saturation: largest relative change, 0 to 1.
        thickness: how much of the darkest or the lightest among a pixel and its neighbours a pixel may take, 0 to 1:
            strokes thicker or thinner by up to a pixel on each side.
        blur: how much of the mean of itself and its neighbours a pixel may take, 0 to 1.
        erase: largest share of a side that an erased rectangle takes; 0 erases nothing.
    """

    rotation: float = 0.0
    translation: float = 0.0
    scale: float = 1.0
    shear: float = 0.0
    elastic: float = 0.0
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    thickness: float = 0.0
    blur: float = 0.0
    erase: float = 0.0

    def __call__(
        self, pictures: Float[Tensor, "n channels height width"], *, generator: torch.Generator
    ) -> Float[Tensor, "n channels height width"]:
        """One view of each picture.

        Args:
            pictures: values 0..1.
            generator: on the CPU, whatever the pictures' device: the same views everywhere.

        Example:
            >>> views = AUGMENTATIONS["photo"](torch.rand(4, 3, 32, 32), generator=torch.Generator().manual_seed(0))
            >>> views.shape
            torch.Size([4, 3, 32, 32])
        """
        views = self._warp(pictures, generator)
        views = self._recolour(views, generator)
        views = self._restroke(views, generator)
        return self._erase(views, generator)

    def _warp(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        if not (self.rotation or self.translation or self.scale > 1 or self.shear or self.flip or self.elastic):
            return pictures
        count, _, height, width = pictures.shape
        angle, shear, zoom_x, zoom_y, shift_x, shift_y = 2 * torch.rand(6, count, generator=generator) - 1
        angle, shear = angle * math.radians(self.rotation), torch.tan(shear * math.radians(self.shear))
        zoom_x, zoom_y = (torch.exp(zoom * math.log(self.scale)) for zoom in (zoom_x, zoom_y))
        if self.flip:
            zoom_x = zoom_x * (2 * torch.randint(2, (count,), generator=generator) - 1)
        # Grid coordinates run from -1 to 1 along each side: the aspect keeps a rotation rigid on oblong pictures.
        aspect, cos, sin = height / width, torch.cos(angle), torch.sin(angle)
        rows = (
            torch.stack([cos * zoom_x, (shear * cos - sin) * zoom_y * aspect, 2 * self.translation * shift_x], 1),
            torch.stack([sin * zoom_x / aspect, (shear * sin + cos) * zoom_y, 2 * self.translation * shift_y], 1),
        )
        matrix = torch.stack(rows, 1).to(pictures.device)
        grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
        if self.elastic:
            points = 2 * torch.rand(count, 2, ELASTIC_POINTS, ELASTIC_POINTS, generator=generator) - 1
            pull = F.interpolate(points.to(pictures.device), (height, width), mode="bicubic", align_corners=True)
            grid = grid + 2 * self.elastic * pull.permute(0, 2, 3, 1)
        # What comes from outside repeats the border: white stays white, and no black wedge gives the view away.
        return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _recolour(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        if not (self.brightness or self.contrast or self.saturation):
            return pictures
        factors = 2 * torch.rand(3, len(pictures), 1, 1, 1, generator=generator).to(pictures.device) - 1
        brightness, contrast, saturation = factors
        views = pictures * (1 + self.brightness * brightness)
        mean = views.mean((1, 2, 3), keepdim=True)
        views = mean + (views - mean) * (1 + self.contrast * contrast)
        grey = views.mean(1, keepdim=True)
        return (grey + (views - grey) * (1 + self.saturation * saturation)).clamp(0, 1)

    def _restroke(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        views = pictures
        if self.thickness:
            amount = 2 * torch.rand(len(views), 1, 1, 1, generator=generator).to(views.device) - 1
            # The least is minus the greatest of the negative: one pass gives each picture the one or the other.
            side = torch.where(amount < 0, -1.0, 1.0)
            extreme = side * F.max_pool2d(side * views, 3, stride=1, padding=1)
            views = torch.lerp(views, extreme, self.thickness * amount.abs())
        if self.blur:
            amount = self.blur * torch.rand(len(views), 1, 1, 1, generator=generator).to(views.device)
            views = torch.lerp(views, F.avg_pool2d(views, 3, 1, 1, count_include_pad=False), amount)
        return views

    def _erase(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        if not self.erase:
            return pictures
        count, _, height, width = pictures.shape
        sides = self.erase * torch.rand(2, count, 1, generator=generator)
        corners = torch.rand(2, count, 1, generator=generator) * (1 - sides)
        rows = (torch.arange(height) + 0.5)[None] / height
        columns = (torch.arange(width) + 0.5)[None] / width
        inside_rows = (rows >= corners[0]) & (rows < corners[0] + sides[0])
        inside_columns = (columns >= corners[1]) & (columns < corners[1] + sides[1])
        hidden = (inside_rows[:, None, :, None] & inside_columns[:, None, None, :]).to(pictures.device)
        return torch.where(hidden, pictures.mean((2, 3), keepdim=True), pictures)


# Of each field, the values that make sense.
_RANGES = {
    "rotation": (0.0, 180.0),
    "shear": (0.0, 80.0),
    **dict.fromkeys(("translation", "elastic"), (0.0, 1.0)),
    "scale": (1.0, 100.0),
    **dict.fromkeys(("flip", "brightness", "contrast", "saturation", "thickness", "blur", "erase"), (0.0, 1.0)),
}

# By what the pictures show. Drawings and signs are not mirrored: their mirror image is another sign.
AUGMENTATIONS = {
    "none": Augmentation(),
    "drawing": Augmentation(rotation=10.0, translation=0.06, scale=1.2, shear=8.0),
    "strokes": Augmentation(
        rotation=15.0, translation=0.08, scale=1.25, shear=12.0, elastic=0.05, thickness=0.7, blur=0.5
    ),
    "icon": Augmentation(
        rotation=10.0, translation=0.06, scale=1.2, shear=5.0, brightness=0.2, contrast=0.2, saturation=0.3
    ),
    "photo": Augmentation(
        rotation=10.0, translation=0.1, scale=1.25, flip=True, brightness=0.3, contrast=0.3, saturation=0.3, erase=0.4
    ),
}


def augmentation(name: str, options: Mapping[str, Any] | None = None) -> Augmentation:
    """One of `AUGMENTATIONS` by name, with other values of some of its fields.

    Raises:
        UnknownName: no such augmentation, or no such field.
        InvalidInput: a value out of its range.

    Example:
        >>> augmentation("drawing", {"rotation": 20}).rotation
        20.0
    """
    if name not in AUGMENTATIONS:
        raise UnknownName("augmentation", name, AUGMENTATIONS)
    values: dict[str, Any] = {}
    for option, value in (options or {}).items():
        if option not in _RANGES:
            raise UnknownName("option of an augmentation,", option, _RANGES)
        low, high = _RANGES[option]
        if not isinstance(value, int | float) or not low <= value <= high:
            raise InvalidInput(f"augmentation: {option} is {value!r}, expected {low:g} to {high:g}")
        values[option] = bool(value) if option == "flip" else float(value)
    return replace(AUGMENTATIONS[name], **values)
