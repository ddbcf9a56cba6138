"""Write the demo's pictures and figures into the tour: `python docs/make_tour.py runs/demo`.

Pictures become `docs/tour/NAME.jpg`, what each step found `docs/tour/figures.json`. A page says in a comment what is to
be written of a step, and of its picture; what was written stands after it, up to `<!-- end -->`; nothing where the demo
had no such step:

    <!-- demo: groups: The six largest groups
    Snapshots of {emoji} emoji fall into {groups} groups; BCubed F is {bcubed_f/0:%}.
    -->

Without a folder, the pages are written anew from the figures that are there.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from PIL import Image

DOCS = Path(__file__).parent
TOUR = DOCS / "tour"
PAGES = ("tour.md", "tour.ru.md")
# Bytes of a picture, so that the repository stays small.
MOST = 150_000


def take_over(demo: Path) -> None:
    """Pictures and figures of a demo's folder."""
    figures = json.loads((demo / "figures.json").read_text(encoding="utf-8"))
    TOUR.mkdir(exist_ok=True)
    for name in figures:
        picture = Image.open(demo / f"{name}.png").convert("RGB")
        for quality in range(90, 30, -5):
            picture.save(TOUR / f"{name}.jpg", quality=quality, optimize=True)
            if (TOUR / f"{name}.jpg").stat().st_size <= MOST:
                break
    text = json.dumps(figures, ensure_ascii=False, indent=1)
    (TOUR / "figures.json").write_text(text + "\n", encoding="utf-8")


def updated(page: str, figures: dict[str, Any], *, comma: bool) -> str:
    """A page with the figures; numbers have a decimal comma if `comma`."""

    def block(match: re.Match[str]) -> str:
        name, title, template = match["name"], match["title"], match["template"]
        text = ""
        if name in figures:
            text = f"![{title}](tour/{name}.jpg)\n\n{filled(template, figures[name], comma=comma)}"
        return f"<!-- demo: {name}: {title}\n{template}-->\n{text}<!-- end -->"

    pattern = r"<!-- demo: (?P<name>[\w-]+): (?P<title>[^\n]+)\n(?P<template>.*?)-->\n.*?<!-- end -->"
    return re.sub(pattern, block, page, flags=re.DOTALL)


def filled(template: str, figures: Any, *, comma: bool) -> str:
    """The template with numbers for `{name}`, `{name/position}` or `{name:%}`."""

    def number(match: re.Match[str]) -> str:
        value, spec = figures, match["spec"] or ""
        for key in match["path"].split("/"):
            value = value[int(key) if isinstance(value, list) else key]
        text = f"{format(value, spec.replace('%', '.1%') if spec == '%' else spec)}".replace("%", " %")
        return text.replace(".", ",") if comma else text

    return re.sub(r"\{(?P<path>[^{}:]+)(?::(?P<spec>[^{}]+))?\}", number, template)


def figures_taken() -> dict[str, Any]:
    """What was taken over from the demo."""
    found: dict[str, Any] = json.loads((TOUR / "figures.json").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        take_over(Path(sys.argv[1]))
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        text = updated(text, figures_taken(), comma=page.endswith(".ru.md"))
        (DOCS / page).write_text(text, encoding="utf-8")
