"""`nearkin demo`: what an embedding is and does, step by step, on emoji."""

from pathlib import Path
from typing import Annotated

import typer

from nearkin.cli.options import Quiet, Threads

SECTION, ORDER = "Try it", 100
KEPT = "the same command begins again; features that were computed are kept"


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo: page, pictures, gallery.")] = Path("runs/demo"),
    steps: Annotated[int, typer.Option(min=1, help="Steps of each training.")] = 600,
    threads: Threads = 2,
    quiet: Quiet = False,
) -> None:
    """Show on emoji what an embedding is and does: descriptors, training, search, recognition, words; a few minutes.

    The work is counted in steps, so a slower machine takes longer, but finds the same.
    """
    from nearkin.cli.options import use_threads
    from nearkin.cli.output import next_step, status
    from nearkin.files import check_output_folder
    from nearkin.progress import progress_bar

    check_output_folder(out, "--out")
    use_threads(threads)
    status("Emoji with English and Russian names; the networks are lite0 and e5 (`nearkin starts`).")
    from nearkin.encoders.model_folder import check_model
    from nearkin.tasks import demo as task

    check_model(task.START)
    told = []
    with progress_bar("embedding") as advance:
        shared = task.Demo(out, steps=steps, progress=advance)
        for number, make in enumerate(task.STEPS, 1):
            step = make(shared)
            told.append(step)
            print(f"\n{number}. {step.title}\n   {step.idea}\n   {step.found}", flush=True)
            status(f"   yours: {step.command}")
    page = task.write_page(told, out)
    print(f"\nAll of it with pictures: {page.absolute()}")
    next_step("nearkin index lite0 YOUR_PICTURES galleries/mine makes your pictures searchable")
