"""The health of classes as a page: one HTML file that needs no network."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path

from jinja2 import Environment, PackageLoader

from nearkin.files import check_output, write_whole
from nearkin.gallery.gallery import Gallery
from nearkin.recognition.health import Health

# Classes, pairs and examples that are shown; the JSON has all.
SHOWN = 100
# Longer side of a picture on the page, in pixels.
_SIDE = 128


def write_health_page(gallery: Gallery, health: Health, path: str | Path) -> None:
    """Write the page, whole or not at all.

    Args:
        gallery: has the pictures of the examples.
        health: what `gallery.class_health` said.
        path: of the page, such as `health.html`.

    Raises:
        InvalidInput: it cannot be written there.

    Example:
        >>> write_health_page(gallery, gallery.class_health(), "health.html")  # doctest: +SKIP
    """
    target = check_output(Path(path), "page", suffixes=(".html",))
    loader = PackageLoader("nearkin", "report")
    template = Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("health.html.j2")
    siblings, misfits = health.siblings[:SHOWN], health.misfits[:SHOWN]
    numbers = {number for each in siblings for number in each.numbers[:4]}  # type: ignore[attr-defined]
    numbers |= {each.number for each in misfits}  # type: ignore[attr-defined]
    pictures = {number: _data_uri(gallery, number) for number in sorted(numbers)}
    page = template.render(
        gallery=str(gallery.location),
        health=health,
        classes=health.classes[:SHOWN],
        siblings=siblings,
        misfits=misfits,
        pictures=pictures,
    )
    write_whole(target, page)


def _data_uri(gallery: Gallery, number: int) -> str | None:
    picture = gallery.example_picture(number)
    if picture is None:
        return None
    picture = picture.convert("RGB")
    picture.thumbnail((_SIDE, _SIDE))
    encoded = BytesIO()
    picture.save(encoded, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(encoded.getvalue()).decode()}"
