"""Contact sheet of recognition: pictures, what is said of them, and the examples that speak for it."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from nearkin.data.decoding import decode
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from nearkin.recognition.decision import Recognition
from nearkin.tasks.sheet import CELL_HEIGHT, CELL_WIDTH, PAPER, QUERY_PAPER, TILE, draw_cell, draw_text


def draw_recognitions(gallery: Gallery, answers: Sequence[tuple[str, Recognition]]) -> Image.Image:
    """One row per picture: the picture with its name, then for each candidate the nearest example.

    Args:
        gallery: that answered.
        answers: paths of pictures, ids of items (#7) or vectors (.npy), with what `gallery.recognize` said.

    Returns:
        A picture of mode RGB.

    Raises:
        InvalidInput: no answers.

    Example:
        >>> answers = [("cat.png", gallery.recognize("cat.png")[0])]  # doctest: +SKIP
        >>> draw_recognitions(gallery, answers).save("sheet.png")  # doctest: +SKIP
    """
    if not answers:
        raise InvalidInput("no answers to draw: expected at least one picture with what was said of it")
    columns = 1 + max(len(answer.candidates) for _, answer in answers)
    sheet = Image.new("RGB", (columns * CELL_WIDTH, len(answers) * CELL_HEIGHT), PAPER)
    for row, (query, answer) in enumerate(answers):
        top = row * CELL_HEIGHT
        sheet.paste(QUERY_PAPER, (0, top, CELL_WIDTH, top + CELL_HEIGHT))
        said = f"{answer.name or answer.decision}\n{Path(query).name}"
        _draw(sheet, 0, top, _asked(query, gallery), said)
        for column, one in enumerate(answer.candidates, start=1):
            number = getattr(one.evidence[0], "number", None) if one.evidence else None
            picture = None if number is None else gallery.example_picture(number)
            text = f"{one.probability:.3f}  {one.name}\n{getattr(one.evidence[0], 'what', '') if one.evidence else ''}"
            _draw(sheet, column * CELL_WIDTH, top, picture, text)
    return sheet


def _asked(query: str, gallery: Gallery) -> Image.Image | None:
    if query.startswith("#"):
        return gallery.thumbnail(int(query[1:]))
    return None if query.lower().endswith(".npy") else decode(query, hint=(TILE, TILE))


def _draw(sheet: Image.Image, left: int, top: int, picture: Image.Image | None, text: str) -> None:
    """A picture with its text; where there is no picture, as of a class of words, the text alone."""
    if picture is None:
        draw_text(sheet, left + 10, top + 10, text, size=14, line=18, lines=(CELL_HEIGHT - 20) // 18)
    else:
        draw_cell(sheet, left, top, picture, text)
