"""Threads and precision by timing: what a machine says it can do is not what it does fast.

On some processors bfloat16 halves the time of a step, on others, which claim it too, it takes longer; and more threads
than the pictures of a batch keep busy, or than other programs leave free, slow a step down. So a few real steps are
timed, on a copy of the encoder, and what is faster is written into the settings of the run.
"""

import copy
import time
from collections.abc import Callable

import numpy as np
import torch

from nearkin.encoders.encoder import Encoder, as_pictures
from nearkin.training.batches import TrainingData
from nearkin.training.settings import TrainSettings

# What is found by timing.
TIMED = ("threads", "precision")
# Pictures of a timed step, and seconds after which nothing more is tried.
PICTURES = 16
SECONDS = 4.0
# What has to be gained, as a share of the time: less is chance, and two runs should agree.
LEAST_GAIN = 0.15


def timed_settings(encoder: Encoder, data: TrainingData, settings: TrainSettings) -> TrainSettings:
    """The settings with the threads and the precision that are fastest here, unless both are given.

    Args:
        encoder: as the training begins; it stays as it is.
        data: pictures to train on.
        settings: of the run. On a GPU, threads are left alone, and bfloat16 is taken where the GPU has it.
    """
    if settings.device != "cpu" and torch.cuda.is_available():
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return _with(settings, precision="bfloat16" if has_bfloat16 else "float32")
    if settings.threads is not None and settings.precision != "auto":
        return settings
    step = _step(encoder, data)
    most = torch.get_num_threads()
    counts = [settings.threads] if settings.threads else sorted({1, min(2, most), most}, reverse=True)
    precisions: list[str] = ["float32", "bfloat16"] if settings.precision == "auto" else [settings.precision]
    try:
        with torch.random.fork_rng(devices=[]):
            threads, precision = fastest(step, counts, precisions)
    finally:
        torch.set_num_threads(most)
    return _with(settings, threads=threads, precision=precision)


def fastest(
    step: Callable[[int, str], float], threads: list[int], precisions: list[str], *, seconds: float = SECONDS
) -> tuple[int, str]:
    """The threads and the precision of the shortest step; the first of each where nothing else gains enough.

    Args:
        step: does one step with so many threads in a precision, and gives its time in seconds.
        threads, precisions: to choose from, the preferred one first.
        seconds: after which nothing more is tried.

    Example:
        >>> times = {(2, "float32"): 1.0, (1, "float32"): 1.5, (2, "bfloat16"): 0.6}
        >>> fastest(lambda *how: times[how], [2, 1], ["float32", "bfloat16"], seconds=60.0)
        (2, 'bfloat16')
    """
    end = time.monotonic() + seconds

    def best(ways: list[tuple[int, str]], known: dict[tuple[int, str], float]) -> tuple[int, str]:
        chosen = ways[0]
        for way in ways if len(ways) > 1 else []:
            if way not in known and (way == ways[0] or time.monotonic() < end):
                # The first step of a kind allocates and compiles; of the others the shortest was disturbed least.
                step(*way)
                known[way] = min(step(*way) for _ in range(3))
            if way in known and known[way] < (1 - LEAST_GAIN) * known[chosen]:
                chosen = way
        return chosen

    known: dict[tuple[int, str], float] = {}
    count = best([(number, precisions[0]) for number in threads], known)[0]
    return best([(count, precision) for precision in precisions], known)


def _step(encoder: Encoder, data: TrainingData) -> Callable[[int, str], float]:
    """A forward and a backward pass of a copy, timed."""
    network = copy.deepcopy(encoder).train()
    rows = np.resize(np.arange(min(PICTURES, len(data.items))), PICTURES)
    pictures = network.normalise(as_pictures(torch.from_numpy(data.cache.batch(data.cache_rows[rows]))))

    def step(threads: int, precision: str) -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            embeddings = network.forward_images(pictures)
        embeddings.square().mean().backward()
        return time.perf_counter() - started

    return step


def _with(settings: TrainSettings, *, precision: str, threads: int | None = None) -> TrainSettings:
    """The settings with what was found, where nothing is given."""
    return settings.model_copy(
        update={
            "threads": settings.threads or threads,
            "precision": precision if settings.precision == "auto" else settings.precision,
        }
    )
