"""`nearkin search`: the pictures most like a picture or words."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.options import Detect, Device, GalleryPath, Json, Quiet, Threads

if TYPE_CHECKING:
    from nearkin.gallery.hits import Hit, Hits, Limit

SECTION, ORDER = "Search", 50

# As `nearkin.tasks.sheet.SUFFIXES`, which loads matplotlib.
SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


def search(
    gallery: GalleryPath,
    queries: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY",
            help="Path of a picture or of a vector (.npy), words, #7 (like item 7), a mixture such as "
            "'photo.jpg + 0.5 * \"red\" - #7', a folder of pictures, or @FILE with one query per line. "
            "Several queries may be given.",
        ),
    ],
    k: Annotated[int, typer.Option("-k", help="Hits for each query.")] = 10,
    where: Annotated[
        str | None, typer.Option(help='Only items that pass this SQL filter, such as "price < 10".')
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Only hits with this score or more.")] = None,
    offset: Annotated[int, typer.Option(help="Skip this many of the best hits (for paging).")] = 0,
    honest: Annotated[
        bool,
        typer.Option("--honest", help="Only hits that reach the model's calibrated threshold; there may be none."),
    ] = False,
    far: Annotated[
        float | None,
        typer.Option(
            help="For pictures: false accept rate of that threshold; implies --honest.",
            show_default="0.001, or the lowest supported",
        ),
    ] = None,
    fpir: Annotated[
        float | None,
        typer.Option(
            help="For words: of queries whose answer is not in the gallery, the share that may get a hit; implies "
            "--honest.",
            show_default="0.1",
        ),
    ] = None,
    others: Annotated[
        bool, typer.Option("--others", help="Leave out the query itself if it is in the gallery.")
    ] = False,
    detect: Detect = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Contact sheet of queries and hits to write, such as out.png.")
    ] = None,
    paths: Annotated[bool, typer.Option("--paths", help="Print only the paths of the hits, one per line.")] = False,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the pictures most similar to a picture or to words, best first.

    In a file or pipe, each hit is a line: query, rank, score, id, path, label and captions, separated by tabs.
    """
    from nearkin.cli.options import use_threads
    from nearkin.cli.output import next_step, print_json, status
    from nearkin.encoders.device import to_device
    from nearkin.errors import InvalidInput
    from nearkin.files import check_output

    if paths and as_json:
        raise InvalidInput("--paths and --json: choose one")
    if sheet is not None:
        sheet = check_output(sheet, "--sheet", suffixes=SHEET_SUFFIXES)
    use_threads(threads)
    from nearkin.gallery.gallery import Gallery

    opened = Gallery.open(gallery)
    asked = [query for given in queries for query in expanded(given)]
    if detect is not None:
        from nearkin.cli.faces_in import faces_in

        asked = faces_in(asked, detect, largest=True)
    if device != "auto":
        to_device(opened.encoder, device)
    found = opened.search_many(
        asked,
        k,
        where=where,
        threshold=threshold,
        offset=offset,
        honest=far if far is not None else honest,
        fpir=fpir,
        exclude_self=others,
    )
    for line in dict.fromkeys(limit_line(hits.limit, by_default=far is None) for hits in found if hits.limit):
        status(line)
    answers = list(zip(asked, found, strict=True))
    if as_json:
        print_json([answer_fields(query, hits) for query, hits in answers])
    elif paths:
        for _, hits in answers:
            for hit in hits:
                print(hit.uri)
    else:
        for query, hits in answers:
            print_hits(query, hits, first=offset + 1)
    if sheet is not None:
        sys.stdout.flush()
        from nearkin.tasks.sheet import draw_sheet, save_sheet

        save_sheet(draw_sheet(opened, answers), sheet)
        status(f"contact sheet: {sheet}")
    if not as_json and not paths:
        pictures = "" if sheet is not None else "--sheet hits.png shows the hits as pictures; "
        next_step(f"{pictures}'#ID' as a query finds more like that hit")


def expanded(query: str) -> list[str]:
    """The queries that one argument stands for: the pictures of a folder, the lines of an @FILE, or itself.

    Raises:
        InvalidInput: no such file of queries, or none in it.
        SourceError: no pictures in the folder.
    """
    from nearkin.errors import InvalidInput

    if query.startswith("@"):
        try:
            text = Path(query[1:]).read_text(encoding="utf-8-sig", errors="surrogateescape")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidInput(
                f"'{query}': cannot read a list of queries from '{query[1:]}': {reason}; to search for words that "
                "begin with @, put them in double quotes within the quotes of the shell: '\"@home\"'"
            ) from error
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines:
            raise InvalidInput(f"'{query}': no queries in '{query[1:]}': expected one on each line")
        return lines
    # os.path, unlike Path, says no to words that are too long for a file's name.
    if query and os.path.isdir(query):  # noqa: PTH112
        from nearkin.data.picture import file_of
        from nearkin.data.sources import read_items

        return [file_of(picture) or picture.uri for picture in read_items(query).pictures]
    return [query]


def answer_fields(query: str, hits: "Hits") -> dict[str, Any]:
    """A query and its hits as JSON; with `--honest` the threshold too, and the hits to expect by chance."""
    fields: dict[str, Any] = {"query": query, "hits": list(hits)}
    if hits.limit is not None:
        fields["limit"] = hits.limit.to_dict()
    return fields


def limit_line(limit: "Limit", *, by_default: bool) -> str:
    """Which threshold `--honest` uses, and how many hits to expect without a right one."""
    from nearkin.gallery.hits import WordLimit

    if isinstance(limit, WordLimit):
        language = f" in '{limit.language}'" if limit.language else ""
        return (
            f"words{language}: threshold {limit.threshold:.3f}; of queries whose answer is not among the "
            f"{limit.compared:,} items {100 * limit.fpir:g} % get a hit, [{100 * limit.fpir_low:.1f}, "
            f"{100 * limit.fpir_high:.1f}] % in 95 % of cases, by {limit.captions:,} captions of other pictures"
        )
    default = ", the model's default" if by_default else ""
    return (
        f"threshold {limit.threshold:.3f}: false accept rate {limit.far:g}{default}; of {limit.compared:,} items "
        f"about {limit.expected_chance_hits:.2g} pass by chance alone, for each query"
    )


def print_hits(query: str, hits: "Sequence[Hit]", *, first: int = 1) -> None:
    """The hits of a query, best first: a table at a terminal, else a line for each; the first one has this rank."""
    from nearkin.cli.output import print_table, status, tab_separated

    if not hits:
        status(f"{query}: {'nothing matches' if getattr(hits, 'limit', None) else 'no hit'}")
        return
    if not sys.stdout.isatty():
        for rank, hit in enumerate(hits, start=first):
            facts = (str(rank), f"{hit.score:.4f}", str(hit.id), hit.uri, hit.label or "", " · ".join(hit.captions))
            print(tab_separated((query, *facts)))
        return
    columns = {
        "rank": [str(rank) for rank, _ in enumerate(hits, start=first)],
        "score": [f"{hit.score:.3f}" for hit in hits],
        "id": [f"#{hit.id}" for hit in hits],
        "label": [hit.label or "" for hit in hits],
        "caption": [" · ".join(hit.captions) for hit in hits],
        "path": [hit.uri for hit in hits],
    }
    shown = {name: texts for name, texts in columns.items() if any(texts)}
    rows = list(zip(*shown.values(), strict=True))
    print_table(query, tuple(shown), rows, names=("label", "caption", "path"))
