"""`nearkin demo`: what an embedding is and does, step by step, on emoji."""

from pathlib import Path
from typing import Annotated

import typer

from nearkin.cli.options import Quiet

SECTION, ORDER = "Try it", 100
KEPT = "the same command begins again; features that were computed are kept"


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo: page, pictures, gallery.")] = Path("runs/demo"),
    steps: Annotated[int, typer.Option(min=1, help="Steps of each training.")] = 600,
    threads: Annotated[
        int,
        typer.Option(min=1, max=1024, help="CPU threads for embedding pictures.", rich_help_panel="Machine"),
    ] = 2,
    quiet: Quiet = False,
) -> None:
    """Show on emoji what an embedding is and does: descriptors, training, search, recognition, words; a few minutes.

    The work is counted in steps, so a slower machine takes longer, but finds the same.
    """
    from nearkin.cli.options import use_threads
    from nearkin.cli.output import next_step, status
    from nearkin.encoders.starts import STARTS
    from nearkin.files import check_output_folder

    use_threads(threads)
    for start in ("lite0", "lite012", "e5"):
        STARTS[start].check()
    check_output_folder(out, "--out")
    from nearkin.tasks.demo.material import Demo
    from nearkin.tasks.demo.page import Step, write_page
    from nearkin.tasks.demo.steps import STEPS

    shared = Demo(out, steps=steps)
    status(
        f"{len(STEPS)} steps from a picture's numbers to words in two languages, on emoji and snapshots of them, with "
        "the pretrained networks lite0 to lite2 and e5.\nMinutes on two idle cores; a busy machine takes longer, and "
        "finds the same."
    )
    told: list[Step] = []
    for number, make in enumerate(STEPS, 1):
        step = make(shared)
        told.append(step)
        print(f"\n{number}. {step.title}\n   {step.idea}\n   {step.found}", flush=True)
        status("   yours: " + "\n          ".join(step.commands))
        page = write_page(told, out)
    if told:
        print(f"\nAll of it with pictures: {page.absolute()}")
    next_step("nearkin index lite0 YOUR_PICTURES galleries/mine makes your pictures searchable")
