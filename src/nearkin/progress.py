"""Progress of long work: a callback `(done, total)`; a bar at a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]

# Seconds until a log has its first line; each further line comes after twice as long, at most every minute.
FIRST_LINE, LONGEST_WAIT = 2.0, 60.0

# Nothing is shown while this is set: `--quiet`.
quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def progress_bar(description: str, *, before: str | None = None) -> Iterator[Progress]:
    """Shows the progress of some work on standard error, with the time that is left.

    Args:
        description: of the work, such as "embedding pictures".
        before: what happens until the first call, such as "loading the model"; a terminal shows it at once.

    Returns:
        A callback `(done, total)`. The bar goes away when all is done, for other bars may follow.

    Example:
        >>> with progress_bar("embedding") as advance:
        ...     advance(10, 10)
    """
    if quiet.get():
        yield lambda done, total: None
        return
    if not sys.stderr.isatty():
        yield _lines(description)
        return
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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bars.add_task(before or description, total=None)
    if before is not None:
        bars.start()

    def advance(done: int, total: int) -> None:
        bars.update(task, description=description, completed=done, total=total)
        if done < total:
            bars.start()
        elif bars.live.is_started:
            bars.stop()

    try:
        yield advance
    finally:
        if bars.live.is_started:
            bars.stop()


def _lines(description: str) -> Progress:
    """A line on standard error now and then, for work that takes more than two seconds."""
    start = time.monotonic()
    wait, due = FIRST_LINE, start + FIRST_LINE

    def advance(done: int, total: int) -> None:
        nonlocal wait, due
        now = time.monotonic()
        if now < due or not 0 < done < total:
            return
        left = (now - start) * (total - done) / done
        print(f"{description}: {done:,} of {total:,}, about {duration(left)} left", file=sys.stderr, flush=True)
        wait = min(2 * wait, LONGEST_WAIT)
        due = now + wait

    return advance


def duration(seconds: float) -> str:
    """A duration in words.

    Example:
        >>> duration(7.2), duration(130.0), duration(7300.0)
        ('7 s', '2 min', '2 h 2 min')
    """
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
