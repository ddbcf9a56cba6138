"""`nearkin demo`: train on emoji before your eyes, then search them by words and by picture."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

SECTION, ORDER = "Try it", 100

# What is shown first if it was held out; another held-out picture otherwise.
UNSEEN_TO_SHOW = ("🦊", "🍓", "🚒", "🌻", "🐢")


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo: run, gallery, contact sheet.")] = Path("runs/demo"),
    minutes: Annotated[float, typer.Option(help="Training time.")] = 3.5,
    threads: Annotated[int | None, typer.Option(help="CPU threads [all].")] = None,
) -> None:
    """Train on emoji with English and Russian names, judge the model on unseen ones, and search; a few minutes."""
    from nearkin.cli.commands.train import epoch_line
    from nearkin.cli.output import print_report, status
    from nearkin.data.sources import read_items
    from nearkin.encoders.encoder import Encoder
    from nearkin.evaluation.report import Report
    from nearkin.gallery.gallery import Gallery
    from nearkin.progress import progress_bar
    from nearkin.tasks.emoji import DEMO_SETTINGS, picture_of, without_skin_tones, write_emoji_table
    from nearkin.tasks.sheet import draw_sheet, save_sheet
    from nearkin.training.train import train

    run, place, sheet = out / "run", out / "gallery", out / "hits.png"
    pictures = read_items(write_emoji_table(out / "emoji.csv"))
    if (run / "report.json").exists():
        status(f"1. The model in {run} is trained already.")
    else:
        plain = without_skin_tones(pictures)
        status(
            f"1. Training a CNN and a GRU from scratch on {len(plain):,} emoji with English and Russian names, "
            f"{minutes:g} minutes; a fifth of the emoji is held out."
        )
        resume = (run / "settings.yaml").exists()
        settings: dict[str, Any] = {} if resume else {**DEMO_SETTINGS, "minutes": minutes, "threads": threads}
        train(
            plain,
            out=run,
            resume=resume,
            progress_bar=sys.stderr.isatty(),
            on_epoch=lambda summary: status("   " + epoch_line(summary)),
            **settings,
        )
    status("\n2. How well it finds emoji that it has never seen, by name and back:")
    print_report(Report.read(run / "report.json"))

    encoder = Encoder.from_pretrained(run)
    gallery = Gallery.open(place, encoder) if Gallery.is_at(place) else Gallery.create(place, encoder)
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
        print(f"   {Path(query).name:>12}: {found}")
    save_sheet(draw_sheet(gallery, answers), sheet)
    status(
        f"\nContact sheet: {sheet}\nNow you:\n"
        f'   nearkin search {place} "улыбка" "flag" --sheet more.png\n'
        f"   nearkin evaluate {run} {run / 'validation.csv'}\n"
        "   nearkin train YOUR_PICTURES --out runs/mine       (a folder per class)"
    )
