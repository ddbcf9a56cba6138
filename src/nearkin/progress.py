"""Progress of long work: a callback `(done, total)`, or a Rich bar on the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]


@contextmanager
def progress_bar(description: str) -> Iterator[Progress]:
    """A Rich progress bar on standard error, as a callback `(done, total)`; shown from the first call to the last.

    Example:
        >>> with progress_bar("embedding") as advance:
        ...     advance(10, 10)
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bars.add_task(description, total=None)

    def advance(done: int, total: int) -> None:
        bars.update(task, completed=done, total=total)
        # Only while it says something: other bars may follow in the same context.
        if done < total:
            bars.start()
        elif bars.live.is_started:
            bars.stop()

    try:
        yield advance
    finally:
        if bars.live.is_started:
            bars.stop()
