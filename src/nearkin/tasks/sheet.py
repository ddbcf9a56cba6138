"""Contact sheet: queries and their hits as one picture."""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont, ImageOps

from nearkin.data.decoding import decode
from nearkin.errors import InvalidInput, PictureError
from nearkin.files import check_output, write_whole
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.hits import Hit
from nearkin.gallery.query import Query, kind_of, terms_of

# In pixels: side of a picture, space around it, height of a line of text; and lines of text that a caption may have.
TILE, GAP, LINE, LINES = 128, 10, 16, 3
CELL_WIDTH, CELL_HEIGHT = TILE + 2 * GAP, TILE + 3 * GAP + (1 + LINES) * LINE

# File types that a sheet can be written as.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")

INK, PAPER, QUERY_PAPER = "#1a1a1a", "#ffffff", "#e4eaf4"


def draw_sheet(gallery: Gallery, answers: Sequence[tuple[Query, Sequence[Hit]]]) -> Image.Image:
    """One row per query: the picture or words that were asked for, then its hits with score and caption.

    Args:
        gallery: that was searched; its thumbnail replaces a picture that can no longer be read.
        answers: each query with what `gallery.search` found for it.

    Returns:
        A picture of mode RGB.

    Raises:
        InvalidInput: no answers, or a query is a picture that is missing.

    Example:
        >>> queries = ["red heart", "cat.png"]  # doctest: +SKIP
        >>> answers = [(query, gallery.search(query)) for query in queries]  # doctest: +SKIP
        >>> save_sheet(draw_sheet(gallery, answers), Path("sheet.png"))  # doctest: +SKIP
    """
    if not answers:
        raise InvalidInput("no answers to draw: expected at least one query with its hits")
    columns = 1 + max(len(hits) for _, hits in answers)
    sheet = Image.new("RGB", (columns * CELL_WIDTH, len(answers) * CELL_HEIGHT), PAPER)
    for row, (query, hits) in enumerate(answers):
        top = row * CELL_HEIGHT
        sheet.paste(QUERY_PAPER, (0, top, CELL_WIDTH, top + CELL_HEIGHT))
        _draw_query(sheet, top, query, gallery)
        for column, hit in enumerate(hits, start=1):
            draw_cell(sheet, column * CELL_WIDTH, top, _picture_of(hit, gallery), f"{hit.score:.3f}\n{describe(hit)}")
    return sheet


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write the sheet, whole or not at all; the suffix of the name chooses the format.

    Raises:
        InvalidInput: a suffix that is not in `SUFFIXES`, or the file cannot be written.
    """
    check_output(path, "contact sheet", suffixes=SUFFIXES)
    encoded = io.BytesIO()
    try:
        sheet.save(encoded, format=Image.registered_extensions()[path.suffix.lower()])
        write_whole(path, encoded.getvalue())
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(f"cannot write the contact sheet '{path}': {reason}") from error


def describe(hit: Hit) -> str:
    """A hit in one line: its label and captions, or else the name of its file.

    Example:
        >>> describe(Hit(3, 0.9, "/pictures/7.png", "cat", ("a cat", "кот"), {}))
        'cat · a cat · кот'
        >>> describe(Hit(3, 0.9, "/pictures/7.png", None, (), {}))
        '7.png'
    """
    return " · ".join(filter(None, (hit.label, *hit.captions))) or Path(hit.uri).name


def describe_mixture(query: Query) -> str:
    """A mixture in one line.

    Example:
        >>> describe_mixture([("old shoe", 1.0), ("red", -0.5), (7, 2)])
        'old shoe - 0.5 * red + 2 * #7'
    """
    line = ""
    for term in terms_of(query):
        kind = kind_of(term.value)
        name = {"item": f"#{term.value}", "vector": "a vector", "words": term.value}.get(kind) or Path(term.value).name
        weight = "" if abs(term.weight) == 1 else f"{abs(term.weight):g} * "
        line += f" {'-' if term.weight < 0 else '+'} {weight}{name}"
    return line.removeprefix(" + ").strip()


def _picture_of(hit: Hit, gallery: Gallery) -> Image.Image:
    try:
        return decode(hit.uri, hint=(TILE, TILE))
    except PictureError:
        return gallery.thumbnail(hit.id)


def _draw_query(sheet: Image.Image, top: int, query: Query, gallery: Gallery) -> None:
    first, *others = terms_of(query)
    kind = "mixture" if others else kind_of(first.value)
    if kind == "picture":
        name = Path(first.value).name if isinstance(first.value, str | Path) else ""
        draw_cell(sheet, 0, top, decode(first.value, hint=(TILE, TILE)), f"query\n{name}")
    elif kind == "item":
        draw_cell(sheet, 0, top, gallery.thumbnail(first.value), f"query\n#{first.value}")
    else:
        text = "a vector" if kind == "vector" else str(first.value) if kind == "words" else describe_mixture(query)
        draw_text(sheet, GAP, top + GAP, text, size=20, line=26, lines=(CELL_HEIGHT - 2 * GAP) // 26)


def draw_cell(sheet: Image.Image, left: int, top: int, picture: Image.Image, text: str) -> None:
    """A picture in the middle of its square, and below it a line of text with a caption."""
    small = ImageOps.contain(picture, (TILE, TILE))
    sheet.paste(small, (left + (CELL_WIDTH - small.width) // 2, top + GAP + (TILE - small.height) // 2))
    draw_text(sheet, left + GAP, top + TILE + 2 * GAP, text, size=12, line=LINE, lines=1 + LINES)


def draw_text(sheet: Image.Image, left: int, top: int, text: str, *, size: int, line: int, lines: int) -> None:
    """A text in so many lines of so many pixels; what does not fit ends in an ellipsis."""
    wrapped = _wrapped(text, font(size), TILE)
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], wrapped[lines - 1][:-1] + "…"]
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(wrapped):
        draw.text((left, top + number * line), row, fill=INK, font=font(size))


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in lines no wider than `width` pixels: broken between words, or in a word that is wider."""
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if font.getlength(longer) > width and line:
                lines.append(line)
                longer = word
            while font.getlength(longer) > width:
                fits = next(end for end in range(len(longer) - 1, 0, -1) if font.getlength(longer[:end]) <= width)
                lines.append(longer[:fits])
                longer = longer[fits:]
            line = longer
        lines.append(line)
    return lines


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along: Latin, Greek and Cyrillic among many scripts."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)
