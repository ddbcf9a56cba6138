"""What a step tells, and the page of all steps."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nearkin.files import write_whole

STYLE = """body{font:16px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#1a1a1a}
img{max-width:100%}
pre{background:#eee;padding:.5em .8em;overflow-x:auto}
h2{margin-top:2em}"""


@dataclass(frozen=True)
class Step:
    """One step, as it is told.

    Args:
        name: one word, under which its figures are kept.
        title: of the step.
        idea: a line on what it shows.
        found: a line with the figure.
        commands: that do the same with one's own pictures.
        figures: numbers, as JSON.
        pictures: files in the demo's folder.
    """

    name: str
    title: str
    idea: str
    found: str
    commands: tuple[str, ...]
    figures: dict[str, Any] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()


def write_page(steps: Sequence[Step], out: Path) -> Path:
    """The page with all steps and pictures, and their figures as `figures.json`; the page's path."""
    figures = {step.name: step.figures for step in steps}
    write_whole(out / "figures.json", json.dumps(figures, ensure_ascii=False, indent=2) + "\n")
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>nearkin: the demo</title><style>{STYLE}</style><h1>What an embedding is, and does</h1>",
        "<p>Below each step stands the command that does the same with pictures of your own: <code>photos/</code> and "
        "<code>other-photos/</code> have a folder for each class, <code>query.jpg</code> is any picture. Figures in "
        "square brackets are 95 % intervals.",
    ]
    for number, step in enumerate(steps, 1):
        pictures = "".join(
            f'<p><img src="{html.escape(name)}" alt="{html.escape(step.title)}">\n' for name in step.pictures
        )
        commands = html.escape("\n".join(step.commands))
        parts.append(
            f"<h2>{number}. {html.escape(step.title)}</h2><p>{html.escape(step.idea)}"
            f"<p><b>{html.escape(step.found)}</b>\n{pictures}<pre>{commands}</pre>"
        )
    parts.append("<p>Emoji: Twemoji, © Twitter, Inc. and other contributors, CC-BY 4.0.</html>")
    page = out / "demo.html"
    write_whole(page, "\n".join(parts) + "\n")
    return page
