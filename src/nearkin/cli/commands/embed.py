"""`nearkin embed`: embeddings out, into a file or a pipe."""

from typing import Annotated

import typer

from nearkin.cli.options import CaptionColumn, Device, Json, Label, Model, PathColumn, Quiet, Strict, Threads, Whiten
from nearkin.wording import counted

SECTION, ORDER = "Search", 35
KEPT = "what was embedded is kept, and the same command goes on"


def embed(
    model: Model,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Folder tree, table, picture or hf:// dataset; left out with --text."),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Embed a text; may be given several times.")] = None,
    captions: Annotated[bool, typer.Option("--captions", help="Embed the captions of DATA, not its pictures.")] = False,
    out: Annotated[
        str, typer.Option(help="Parquet file, .npy (with a .csv of the paths beside it) or .csv; - prints JSON lines.")
    ] = "-",
    label: Label = None,
    caption_column: CaptionColumn = None,
    path_column: PathColumn = None,
    strict: Strict = False,
    whiten: Whiten = False,
    threads: Threads = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the embeddings of pictures, captions or texts, with all that their source says of them.

    An interrupted command goes on where it stopped. Exit code 1: some pictures could not be read; all others are there.
    """
    from shlex import quote

    from nearkin.cli.options import check_models_and_data, load_encoder
    from nearkin.cli.output import next_step, print_json, print_skipped
    from nearkin.data.items import Broken
    from nearkin.data.sources import read_items
    from nearkin.data.vector_files import SUFFIXES
    from nearkin.errors import InvalidInput
    from nearkin.files import check_output
    from nearkin.progress import progress_bar
    from nearkin.serialise import plain

    if (data is None) == (not text):
        raise InvalidInput("expected MODEL DATA, or MODEL with --text")
    if whiten and data is None:
        raise InvalidInput("--whiten is fitted to the pictures of DATA: give DATA, or leave --whiten out")
    if text and captions:
        raise InvalidInput("--captions embeds those of DATA: give DATA, or leave --captions out")
    if out == "-" and as_json:
        raise InvalidInput("--json tells what was written: leave it out, or name a file with --out")
    if out != "-":
        check_output(out, "--out", suffixes=SUFFIXES)
    check_models_and_data([model], data)
    from nearkin.tasks.embed import embed as run
    from nearkin.tasks.embed import embed_rows

    with progress_bar("embedding", before="loading the model") as advance:
        items = None
        if data is not None:
            items = read_items(data, label=label, captions=caption_column, path_column=path_column)
            items.refuse_skipped(strict)
        encoder = load_encoder(model, threads=threads, device=device)
        if whiten and items is not None:
            from nearkin.encoders.whitening import whitened

            encoder = whitened(encoder, items.pictures, progress=advance)
        if out == "-":
            broken = []
            for row in embed_rows(encoder, items, texts=text, captions=captions, strict=strict, progress=advance):
                if isinstance(row, Broken):
                    broken.append(row)
                else:
                    print_json(row, one_line=True)
            print_skipped(broken)
            raise typer.Exit(1 if broken else 0)
        summary = run(encoder, items, out, texts=text, captions=captions, strict=strict, progress=advance)
    if as_json:
        done = {name: getattr(summary, name) for name in ("embedded", "dim", "resumed", "skipped")}
        print_json({"out": out, **plain(done)})
    else:
        resumed = f", {summary.resumed:,} of them from the interrupted command" if summary.resumed else ""
        print(f"{out}: {counted(summary.embedded, 'vector')} of dimension {summary.dim}{resumed}")
        print_skipped(summary.skipped)
        if not text and not captions and not whiten and not out.endswith(".csv"):
            next_step(f"nearkin index {quote(model)} GALLERY --vectors {quote(out)}")
    if summary.skipped:
        raise typer.Exit(1)
