"""Pictures for the steps of the demo."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from PIL import Image, ImageDraw

from nearkin.data.decoding import decode
from nearkin.tasks.sheet import INK, PAPER, QUERY_PAPER, draw_text, font

# In pixels: side of a picture in a row, space around it, height of a line of text, width of what stands before a row.
TILE, GAP, LINE, HEAD = 64, 6, 14, 130
RIGHT, WRONG = "#2e8b57", "#c23b22"


class Cell(NamedTuple):
    """A picture in a row.

    Args:
        picture: its path.
        text: below it; nothing if "".
        right: framed green if True, red if False, not at all if None.
    """

    picture: str
    text: str = ""
    right: bool | None = None


def rows_of_pictures(rows: Sequence[tuple[str, Sequence[Cell]]]) -> Image.Image:
    """A row for each text, with its pictures."""
    lines = 1 if any(cell.text for _, cells in rows for cell in cells) else 0
    height, width = TILE + 2 * GAP + lines * LINE, TILE + 2 * GAP
    columns = max(len(cells) for _, cells in rows)
    sheet = Image.new("RGB", (HEAD + columns * width, len(rows) * height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (text, cells) in enumerate(rows):
        top = number * height
        sheet.paste(QUERY_PAPER, (0, top, HEAD, top + height - 2))
        draw_text(sheet, GAP, top + GAP, text, size=12, line=LINE, lines=4)
        for column, cell in enumerate(cells):
            left = HEAD + column * width
            _paste(sheet, cell.picture, left + GAP, top + GAP, TILE)
            if cell.right is not None:
                corners = (left + 2, top + 2, left + width - 3, top + TILE + 2 * GAP - 3)
                draw.rectangle(corners, outline=RIGHT if cell.right else WRONG, width=3)
            if cell.text:
                _line(draw, left + GAP, top + TILE + GAP + 4, cell.text, size=10, width=width - 4)
    return sheet


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in a row."""
    sheet = Image.new("RGB", (sum(one.width + 2 * GAP for one in pictures), max(one.height for one in pictures)), PAPER)
    left = 0
    for one in pictures:
        sheet.paste(one, (left, 0))
        left += one.width + 2 * GAP
    return sheet


def numbers_of(pictures: Sequence[str], vectors: Float[np.ndarray, "n dim"]) -> Image.Image:
    """Pictures, each with its numbers as grey squares, the greatest black."""
    across, square = 80, 6
    down = -(-vectors.shape[1] // across)
    height = down * square + 2 * GAP
    sheet = Image.new("RGB", (TILE + 4 * GAP + across * square, len(pictures) * height), PAPER)
    for number, (picture, vector) in enumerate(zip(pictures, vectors, strict=True)):
        grey = np.full(across * down, 255, np.uint8)
        grey[: len(vector)] = (255 * (1 - np.clip(np.sqrt(np.abs(vector) / np.abs(vectors).max()), 0, 1))).astype(
            np.uint8
        )
        grid = Image.fromarray(grey.reshape(down, across)).resize(
            (across * square, down * square), Image.Resampling.NEAREST
        )
        _paste(sheet, picture, GAP, number * height + (height - TILE) // 2, TILE)
        sheet.paste(grid, (TILE + 3 * GAP, number * height + GAP))
    return sheet


def table_of_scores(pictures: Sequence[str], scores: Float[np.ndarray, "n n"]) -> Image.Image:
    """Every picture against every other, with their scores; the higher, the darker."""
    side = TILE + 2 * GAP
    sheet = Image.new("RGB", ((len(pictures) + 1) * side,) * 2, PAPER)
    draw = ImageDraw.Draw(sheet)
    low, high = float(scores.min()), float(scores[~np.eye(len(scores), dtype=bool)].max())
    for one, picture in enumerate(pictures):
        _paste(sheet, picture, GAP, (one + 1) * side + GAP, TILE)
        _paste(sheet, picture, (one + 1) * side + GAP, GAP, TILE)
        for other in range(len(pictures)):
            share = min((float(scores[one, other]) - low) / (high - low), 1)
            colour = tuple(int(255 - share * (255 - full)) for full in (120, 170, 230))
            left, top = (other + 1) * side, (one + 1) * side
            sheet.paste(colour, (left + 1, top + 1, left + side - 1, top + side - 1))
            shown = f"{scores[one, other]:.2f}"
            _line(draw, left + side // 2 - 16, top + side // 2 - 9, shown, size=14, width=side)
    return sheet


def plane_map(
    pictures: Sequence[str], vectors: Float[np.ndarray, "n dim"], labels: Int[np.ndarray, " n"], title: str
) -> Image.Image:
    """Pictures in the plane that shows most of their spread, framed in the colour of their class."""
    side, tile, margin = 460, 30, 30
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    # The sign of an axis means nothing: its greatest part is positive.
    greatest = np.abs(axes[:2]).argmax(1)
    places = centred @ (axes[:2] * np.sign(axes[[0, 1], greatest])[:, None]).T
    places = (places - places.min(0)) / np.ptp(places, axis=0)
    sheet = Image.new("RGB", (side, side + 24), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 24, side - 1, side + 23), outline=INK)
    _line(draw, 4, 4, title, size=13, width=side)
    for picture, place, label in zip(pictures, places, labels, strict=True):
        left, top = (int(margin + one * (side - 2 * margin - tile)) for one in place)
        top += 24
        draw.rectangle((left - 3, top - 3, left + tile + 2, top + tile + 2), fill=COLOURS[int(label) % len(COLOURS)])
        _paste(sheet, picture, left, top, tile)
    return sheet


COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")


def two_histograms(same: Float[np.ndarray, " n"], different: Float[np.ndarray, " m"], threshold: float) -> Image.Image:
    """How often each score occurs among same and among different pairs, and the threshold between them."""
    width, height, bins = 560, 200, 56
    sheet = Image.new("RGB", (width + 2 * GAP, height + 60), PAPER)
    draw = ImageDraw.Draw(sheet)
    edges = np.linspace(min(float(same.min()), float(different.min())), 1, bins + 1)
    step = width // bins
    for scores, colour, shift in ((different, WRONG, 0), (same, RIGHT, step // 2)):
        counts = np.histogram(scores, edges)[0] / len(scores)
        for number, share in enumerate(counts / counts.max()):
            left = GAP + number * step + shift
            draw.rectangle((left, height - int(share * (height - 10)), left + step // 2 - 1, height), fill=colour)
    at = GAP + int((threshold - edges[0]) / (1 - edges[0]) * width)
    draw.line((at, 0, at, height), fill=INK, width=2)
    draw.line((GAP, height, GAP + width, height), fill=INK)
    draw.text((GAP, height + 4), f"{edges[0]:.2f}", fill=INK)
    draw.text((GAP + width - 24, height + 4), "1.00", fill=INK)
    draw.text((at - 14, height + 4), f"{threshold:.2f}", fill=INK)
    for left, colour, text in (
        (GAP, WRONG, "different pairs"),
        (GAP + 150, RIGHT, "same pairs"),
        (GAP + 280, INK, "threshold"),
    ):
        draw.rectangle((left, height + 32, left + 12, height + 44), fill=colour)
        _line(draw, left + 18, height + 31, text, size=12, width=width)
    return sheet


def _line(draw: ImageDraw.ImageDraw, left: int, top: int, text: str, *, size: int, width: int) -> None:
    """A line of text; what is wider than `width` ends in an ellipsis."""
    shown = text
    while font(size).getlength(shown) > width:
        text = text[:-1]
        shown = text + "…"
    draw.text((left, top), shown, fill=INK, font=font(size))


def _paste(sheet: Image.Image, picture: str, left: int, top: int, side: int) -> None:
    small = decode(Path(picture), hint=(side, side)).resize((side, side), Image.Resampling.BILINEAR)
    sheet.paste(small, (left, top))
