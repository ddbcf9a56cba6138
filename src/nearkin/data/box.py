"""A region of a picture: a box in pixels, and how it is written behind the picture's name."""

import math
import re
from dataclasses import dataclass

# As the W3C's Media Fragments write a region of a picture.
_FRAGMENT = re.compile(r"#xywh=(-?[\d.]+),(-?[\d.]+),([\d.]+),([\d.]+)$")


@dataclass(frozen=True)
class Box:
    """A region of a picture, in pixels of the picture as it is shown, after its EXIF rotation.

    Args:
        x, y: left and top edge; fractions are kept to 1/100 pixel.
        width, height: of the region, above 0.

    Example:
        >>> box = Box(10, 20, 30.5, 40)
        >>> str(box), box.corners((35, 100))
        ('10,20,30.5,40', (10, 20, 35, 60))
    """

    x: float | int
    y: float | int
    width: float | int
    height: float | int

    def __post_init__(self) -> None:
        for name in ("x", "y", "width", "height"):
            object.__setattr__(self, name, round(float(getattr(self, name)), 2))

    def __str__(self) -> str:
        return ",".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in self.numbers)

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """x, y, width, height."""
        return self.x, self.y, self.width, self.height

    @property
    def fault(self) -> str:
        """What is wrong with the numbers themselves; "" if nothing is.

        Example:
            >>> Box(0, 0, 0, 5).fault
            'its width is 0'
        """
        if not all(map(math.isfinite, self.numbers)):
            return "not all four are finite numbers"
        narrow = next((name for name in ("width", "height") if getattr(self, name) <= 0), None)
        return f"its {narrow} is {getattr(self, narrow):g}" if narrow else ""

    def clipped(self, size: tuple[int, int]) -> "Box | None":
        """The part of it that is inside a picture of `(width, height)` pixels; None if there is none."""
        left, top = max(self.x, 0.0), max(self.y, 0.0)
        right, bottom = min(self.x + self.width, size[0]), min(self.y + self.height, size[1])
        return Box(left, top, right - left, bottom - top) if right - left > 0.005 and bottom - top > 0.005 else None

    def corners(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in whole pixels, inside a picture of this size; at least one pixel each way."""
        left, top = min(max(round(self.x), 0), size[0] - 1), min(max(round(self.y), 0), size[1] - 1)
        right = min(max(round(self.x + self.width), left + 1), size[0])
        bottom = min(max(round(self.y + self.height), top + 1), size[1])
        return left, top, right, bottom

    def scaled(self, factor: float | int) -> "Box":
        """The same region of a picture that is larger by a factor."""
        return Box(*(value * factor for value in self.numbers))


def region_uri(uri: str, box: Box) -> str:
    """The name of a region: that of its picture with the box behind it.

    Example:
        >>> region_uri("/a/team.jpg", Box(10, 20, 30, 40))
        '/a/team.jpg#xywh=10,20,30,40'
    """
    return f"{uri}#xywh={box}"


def split_region(uri: str) -> tuple[str, Box | None]:
    """The picture's name and the box behind it, if there is one.

    Example:
        >>> split_region("/a/team.jpg#xywh=10,20,30,40")
        ('/a/team.jpg', Box(x=10.0, y=20.0, width=30.0, height=40.0))
        >>> split_region("/a/team.jpg")
        ('/a/team.jpg', None)
    """
    found = _FRAGMENT.search(uri) if "#xywh=" in uri else None
    try:
        return (uri[: found.start()], Box(*map(float, found.groups()))) if found else (uri, None)
    except ValueError:
        return uri, None
