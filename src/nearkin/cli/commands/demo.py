"""`nearkin demo`: train on emoji before your eyes, then search them by words and by picture."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nearkin.cli.options import Quiet, Threads

SECTION, ORDER = "Try it", 100
KEPT = "the same command goes on from the last epoch"

# Shown if it was held out; another held-out picture otherwise.
UNSEEN_TO_SHOW = ("🦊", "🍓", "🚒", "🌻", "🐢")


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo: run, gallery, contact sheet.")] = Path("runs/demo"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training pictures.")] = 30,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Train on emoji with English and Russian names, evaluate on unseen ones, and search: a few minutes.

    The number of epochs is fixed, so a slower machine takes longer, but trains as much.
    """
    from nearkin.cli.commands.train import epoch_line
    from nearkin.cli.output import next_step, print_report, status
    from nearkin.data.sources import read_items
    from nearkin.files import check_output, check_output_folder
    from nearkin.progress import progress_bar
    from nearkin.tasks.emoji import DEMO_SETTINGS, picture_of, without_skin_tones, write_emoji_table

    run, gallery_path = out / "run", out / "gallery"
    check_output_folder(out, "--out")
    sheet = check_output(out / "hits.png", "--out")
    pictures = read_items(write_emoji_table(out / "emoji.csv"))
    if (run / "report.json").exists():
        status(f"1. The model in {run} is trained already.")
    else:
        plain = without_skin_tones(pictures)
        status(
            f"1. Training a CNN and a GRU from scratch on {len(plain):,} emoji with English and Russian names for "
            f"{epochs} epochs. A fifth of the emoji is held out."
        )
        from nearkin.training.train import train

        resume = (run / "settings.yaml").exists()
        settings: dict[str, Any] = {} if resume else {**DEMO_SETTINGS, "epochs": epochs, "threads": threads}
        train(
            plain,
            out=run,
            resume=resume,
            progress_bar=sys.stderr.isatty() and not quiet,
            on_epoch=lambda summary: status("   " + epoch_line(summary)),
            **settings,
        )
    from nearkin.encoders.encoder import Encoder
    from nearkin.evaluation.report import Report
    from nearkin.gallery.gallery import Gallery
    from nearkin.tasks.sheet import draw_sheet, save_sheet

    status("\n2. How well it finds emoji that it has never seen, by name and the other way round:")
    print_report(Report.read(run / "report.json"))
    status(
        "This is what a few minutes of training from scratch are worth: far better than chance, and far from good. "
        "Longer training and more pictures go further; `nearkin train` does both."
    )
    encoder = Encoder.from_pretrained(run)
    gallery = (
        Gallery.open(gallery_path, encoder) if Gallery.is_at(gallery_path) else Gallery.create(gallery_path, encoder)
    )
    with progress_bar("indexing pictures") as advance:
        summary = gallery.add(pictures, progress=advance)
    status(f"\n3. A gallery of all pictures, skin tones included: {summary.added:,} added, {len(gallery):,} in all.")

    held_out = [name for name in read_items(run / "validation.csv").column("emoji") if isinstance(name, str)]
    unseen = next((name for name in UNSEEN_TO_SHOW if name in held_out), held_out[0])
    status(f"\n4. Four searches: Russian words, English words, the picture of 🐶, and of {unseen}, which was held out.")
    queries = ["кошка", "red heart", picture_of(pictures, "🐶"), picture_of(pictures, unseen)]
    answers = [(query, gallery.search(query, k=6)) for query in queries]
    for query, hits in answers:
        found = ", ".join(f"{hit.metadata['emoji']} {hit.captions[0]} {hit.score:.2f}" for hit in hits)
        print(f"   {Path(query).name:>12}: {found}", flush=True)
    save_sheet(draw_sheet(gallery, answers), sheet)
    status(
        f"\nContact sheet: {sheet}\n"
        f'   nearkin search {gallery_path} "улыбка" "flag" --sheet more.png\n'
        f"   nearkin evaluate {run} {run / 'validation.csv'}"
    )
    next_step("nearkin train YOUR_PICTURES --out runs/mine       (a folder for each class)")
