"""Writes the tables of these pages from the code: settings from `TrainSettings`, the others from docstrings.

    python docs/make_tables.py

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`. A test fails where a table is out of date.
"""

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from nearkin.cli.setting_options import option_of
from nearkin.encoders.backbones import BACKBONES
from nearkin.encoders.starts import STARTS
from nearkin.gallery.index import AUTO_IS_EXACT_UP_TO, FEWEST_APPROXIMATE, KINDS
from nearkin.losses import CAPTION_LOSSES, LOSSES
from nearkin.losses.engine.by_name import options_of
from nearkin.registry import Registry
from nearkin.similarity.clustering import clusterers_table
from nearkin.training.settings import GROUPS, TrainSettings, group_of, shown_default, shown_with_weights

FOLDER = Path(__file__).parent
MARKED = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", flags=re.DOTALL)
# Options that all losses with sampled class weights share.
SHARED = ("sample_rate", "learning_rate_multiple")


def settings_table() -> str:
    """Every setting with its option and default, by group."""
    rows = []
    for group in GROUPS:
        rows.append((f"**{group}**", "", ""))
        for name, field in TrainSettings.model_fields.items():
            if group_of(name) == group:
                default = "; ".join(one for one in (shown_default(name), shown_with_weights(name)) if one)
                rows.append((f"`{option_of(name)}`", default, str(field.description)))
    return _table(("option", "default", "what it does"), rows)


def losses_table(registry: Registry[Callable[..., Any]], *, with_weights: bool | None = None) -> str:
    """Losses with formula, options and source; of losses on labels those with class weights, or those without."""
    rows = []
    for name, make in registry.items():
        if with_weights is not None and inspect.isclass(make) != with_weights:
            continue
        module = import_module(make.__module__)
        function = getattr(module, f"{name.replace('-', '_')}_loss")
        options = {one: value for one, value in options_of(make).items() if one not in SHARED}
        shown = ", ".join(f"`{one}` {_shown(value)}" for one, value in options.items())
        classes = f", `{make.__name__}`" if inspect.isclass(make) else ""
        rows.append((f"`{name}`", f"`{function.__name__}`{classes}", _formula(function), shown, _source(function)))
    option = "--caption-loss" if registry is CAPTION_LOSSES else "--loss"
    return _table((f"`{option}`", "in Python", "formula", "options", "source"), rows)


def backbones_table() -> str:
    """nearkin's own networks."""
    rows = []
    for name, make in BACKBONES.items():
        options = inspect.signature(make).parameters.values()
        shown = ", ".join(f"`{one.name}` {one.default}" for one in options if one.name != "channels")
        rows.append((f"`{name}`", _summary(make), shown, make.default_pooling, _source(make)))
    return _table(("`--backbone`", "what it is", "options", "`--pooling`", "source"), rows)


def starts_table() -> str:
    """Pretrained models by name."""
    rows = [
        (f"`{name}`", start.embeds, start.summary, f"`{start.install}`", start.licence, f"{start.size / 1e6:.0f} MB")
        for name, start in STARTS.items()
    ]
    return _table(("start", "embeds", "good for", "installed by", "licence of the weights", "size"), rows)


def index_kinds_table() -> str:
    """Kinds of index with the least memory that they take, and when to choose them."""
    dim = 128
    rows = [
        (f"`{name}`", _summary(kind), f"{kind.floor_bytes(dim):.0f}", f"{kind.when}") for name, kind in KINDS.items()
    ]
    tried = ", ".join(f"`{name}`" for name, kind in KINDS.items() if kind.in_auto)
    auto = (
        f"`exact` up to {AUTO_IS_EXACT_UP_TO:,} vectors. Above that, the fastest for single queries in a trial on your "
        f"vectors: `exact`, {tried}."
    )
    small = f"Fewer than {FEWEST_APPROXIMATE} vectors are searched exactly, whatever the kind."
    rows.append(("`auto`", f"{auto} {small}", "", "you would rather not choose"))
    return _table(("`--kind`", "what it is", f"bytes a vector of {dim} dimensions", "choose it if"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "pair-losses": lambda: losses_table(LOSSES, with_weights=False),
    "class-losses": lambda: losses_table(LOSSES, with_weights=True),
    "caption-losses": lambda: losses_table(CAPTION_LOSSES),
    "backbones": backbones_table,
    "starts": starts_table,
    "index-kinds": index_kinds_table,
    "clusterers": lambda: clusterers_table() + "\n",
}


def updated(page: str) -> str:
    """The text of a page with its tables as they are now."""
    return MARKED.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}{match[3]}", page)


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _summary(thing: Any) -> str:
    return _paragraphs(thing)[0]


def _formula(function: Callable[..., Any]) -> str:
    """The sentence that opens the docstring, and the formula that follows if it leads up to one."""
    first, *others = _paragraphs(function)
    leads_up = not first.endswith(".") or " L = " not in f" {first}"
    return f"{first} {others[0]}" if leads_up and others and re.match(r"L = ", others[0]) else first


def _source(thing: Any) -> str:
    text = (inspect.getdoc(thing) or "").partition("Source: ")[2]
    return " ".join(text.partition("\n\n")[0].split()).rstrip(".")


def _paragraphs(thing: Any) -> list[str]:
    """Of a docstring up to its arguments; lines of a formula are joined by semicolons."""
    text = re.split(r"\n\s*Args:", inspect.getdoc(thing) or "")[0]
    found = []
    for paragraph in text.strip().split("\n\n"):
        lines = textwrap.dedent(paragraph).splitlines()
        is_formula = paragraph.startswith(("    ", "L = "))
        starts = sum(bool(re.match(r"[\w-]+(\([\w, ]+\))? = ", line)) for line in lines)
        found.append(
            ("; " if is_formula and starts == len(lines) else " ").join(line.strip().rstrip(",") for line in lines)
        )
    return found


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def main() -> None:
    for path in sorted(FOLDER.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        if (now := updated(page)) != page:
            path.write_text(now, encoding="utf-8")
            print(f"{path.name}: tables renewed")


if __name__ == "__main__":
    main()
