"""`nearkin search`: the pictures most like a picture or words."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nearkin.gallery.hits import Hit

SECTION, ORDER = "Search", 50


def search(
    gallery: Annotated[str, typer.Argument(help="Gallery folder or URL, made by `nearkin index`.")],
    queries: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY...",
            help="Path of a picture or of a vector (.npy), words, #7 (like item 7), or a mixture: "
            "'photo.jpg + 0.5 * \"red\" - #7'.",
        ),
    ],
    k: Annotated[int, typer.Option("-k", help="Hits for each query.")] = 10,
    where: Annotated[str | None, typer.Option(help='Only items that pass this SQL filter: "price < 10".')] = None,
    threshold: Annotated[float | None, typer.Option(help="Only hits with this score or more.")] = None,
    offset: Annotated[int, typer.Option(help="Leave out so many of the best: the hits of earlier pages.")] = 0,
    honest: Annotated[
        bool, typer.Option("--honest", help="Only hits that reach the model's calibrated threshold; maybe none.")
    ] = False,
    far: Annotated[
        float | None, typer.Option(help="False accept rate of the threshold of --honest [the calibration's].")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw queries and hits into this picture, such as out.png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the pictures most like a picture or words, best first."""
    import json
    from dataclasses import asdict

    from nearkin.cli.output import status
    from nearkin.gallery.gallery import Gallery

    opened = Gallery.open(gallery)
    found = opened.search_many(
        queries, k, where=where, threshold=threshold, offset=offset, honest=far if far is not None else honest
    )
    answers = list(zip(queries, found, strict=True))
    if sheet is not None:
        from nearkin.tasks.sheet import draw_sheet, save_sheet

        save_sheet(draw_sheet(opened, answers), sheet)
        status(f"contact sheet: {sheet}")
    if as_json:
        listed = [{"query": query, "hits": [asdict(hit) for hit in hits]} for query, hits in answers]
        # Metadata may be of a type that JSON lacks, such as dates.
        print(json.dumps(listed, ensure_ascii=False, indent=2, default=str))
        return
    for query, hits in answers:
        print_hits(query, hits, first=offset + 1)


def print_hits(query: str, hits: "Sequence[Hit]", *, first: int = 1) -> None:
    """A table of hits, best first; the first one has this rank."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not hits:
        Console().print(Text(f"{query}: no hit"))
        return
    table = Table(title=Text(query), title_justify="left")
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    columns = {
        "label": [hit.label or "" for hit in hits],
        "caption": [" · ".join(hit.captions) for hit in hits],
        "path": [hit.uri for hit in hits],
    }
    shown = {name: texts for name, texts in columns.items() if any(texts)}
    for name in shown:
        # Folded and not cut, for a path is there to be copied.
        table.add_column(name, overflow="fold")
    for rank, (hit, *texts) in enumerate(zip(hits, *shown.values(), strict=True), start=first):
        table.add_row(str(rank), f"{hit.score:.3f}", *map(Text, texts))
    Console().print(table)
