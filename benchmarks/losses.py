"""Time and memory of each loss, forward and backward, against pytorch-metric-learning; prints a Markdown table.

    python benchmarks/losses.py [--quick] [--only triplet] [--dim 128] [--threads 2] [--device cpu] [--seed 0]

Both sides get the same unit vectors, spread widely around a centre for each class, in turns in one process: a
round is one call of each, the ratio is taken within the round, and the table shows its median and its range over the
rounds. Peak memory is what one call adds to a fresh process (or, on a GPU, to the memory that torch holds). Where the
formulas are the same, the last columns say how far value and gradient are from theirs computed in float64, relative to
the value and to the largest number of the gradient.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from pytorch_metric_learning import distances as pml_distances
from pytorch_metric_learning import losses as pml
from torch import Tensor

from nearkin import losses

Loss = Callable[[Tensor, Tensor], Tensor]


def euclidean(power: int) -> Any:
    return pml_distances.LpDistance(normalize_embeddings=False, p=2, power=power)


# name -> ours, theirs, whether the formulas are the same
SIDES: dict[str, tuple[Loss, Loss, bool]] = {
    "triplet": (
        partial(losses.triplet_loss, margin=0.2),
        pml.TripletMarginLoss(margin=0.2, distance=euclidean(power=2)),
        True,
    ),
    # Theirs is linear in the distance and averages positives and negatives apart.
    "contrastive": (
        partial(losses.contrastive_loss, margin=1.4),
        pml.ContrastiveLoss(pos_margin=0.0, neg_margin=1.4, distance=euclidean(power=1)),
        False,
    ),
}
SIZES = ((128, 4), (512, 4), (512, 32), (1024, 4), (1024, 32), (4096, 4), (4096, 32))
# Beyond so many rows theirs takes minutes or does not fit into memory.
LARGEST_OF_THEIRS = {"triplet": 1024, "contrastive": 4096}


def draw(rows: int, per_class: int, dim: int, seed: int, device: str) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    labels = torch.randperm(rows, generator=random) // per_class
    centres = torch.nn.functional.normalize(torch.randn(rows // per_class, dim, generator=random))
    spread = torch.nn.functional.normalize(torch.randn(rows, dim, generator=random))
    embeddings = torch.nn.functional.normalize(0.5 * centres[labels] + spread)
    return embeddings.to(device).requires_grad_(), labels.to(device)


def step(loss: Loss, embeddings: Tensor, labels: Tensor) -> tuple[float, Tensor, float]:
    """Value, gradient and seconds of one forward and backward pass."""
    embeddings.grad = None
    started = time.perf_counter()
    value = loss(embeddings, labels)
    value.backward()
    # Waits for a GPU, too.
    number = value.item()
    assert embeddings.grad is not None
    embeddings.grad[0, 0].item()
    return number, embeddings.grad, time.perf_counter() - started


def compare(ours: Loss, theirs: Loss | None, embeddings: Tensor, labels: Tensor, rounds: int) -> dict[str, Any]:
    """Seconds of both sides in turns, and how far values and gradients differ."""
    value, gradient, _ = step(ours, embeddings, labels)
    found: dict[str, Any] = {"ours": [], "theirs": []}
    if theirs is not None:
        exact = embeddings.detach().double().requires_grad_()
        other_value, other_gradient, _ = step(theirs, exact, labels)
        found["value"] = abs(value - other_value) / abs(other_value)
        found["gradient"] = float((gradient - other_gradient).abs().max() / other_gradient.abs().max())
    for _ in range(rounds):
        found["ours"].append(step(ours, embeddings, labels)[2])
        if theirs is not None:
            found["theirs"].append(step(theirs, embeddings, labels)[2])
    return found


def peak_of_one_call(name: str, side: int, rows: int, per_class: int, options: argparse.Namespace) -> float:
    """MiB that one call of one side adds, measured in a process of its own."""
    arguments = json.dumps([name, side, rows, per_class, options.dim, options.seed, options.device, options.threads])
    ran = subprocess.run(
        [sys.executable, __file__, "--peak", arguments], check=True, capture_output=True, text=True, env=os.environ
    )
    return float(ran.stdout)


def print_peak(arguments: str) -> None:
    name, side, rows, per_class, dim, seed, device, threads = json.loads(arguments)
    torch.set_num_threads(threads)
    loss = SIDES[name][side]
    # What is loaded at the first call is no memory of the loss.
    step(loss, *draw(4 * per_class, per_class, dim, seed, device))
    batch = draw(rows, per_class, dim, seed, device)
    if device == "cpu":
        # Resets the high-water mark of this process.
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        step(loss, *batch)
        print(max(0.0, resident("VmHWM") - before))
    else:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step(loss, *batch)
        print((torch.cuda.max_memory_allocated() - before) / 2**20)


def resident(field: str) -> float:
    """MiB in memory: VmRSS now, VmHWM at most so far (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 2**10


def row(name: str, rows: int, per_class: int, options: argparse.Namespace) -> str:
    ours, theirs, same = SIDES[name]
    both = rows <= LARGEST_OF_THEIRS[name] and not (options.quick and rows > 512)
    rounds = (3 if options.quick else 7) if rows <= 512 else (2 if options.quick else 5)
    batch = draw(rows, per_class, options.dim, options.seed, options.device)
    found = compare(ours, theirs if both else None, *batch, rounds)
    peaks = [peak_of_one_call(name, side, rows, per_class, options) for side in range(2 if both else 1)]
    cells = [name, str(rows), str(per_class), f"{1000 * median(found['ours']):.1f}", f"{peaks[0]:.0f}"]
    if both:
        ratios = [theirs / ours for ours, theirs in zip(found["ours"], found["theirs"], strict=True)]
        cells += [f"{1000 * median(found['theirs']):.0f}", f"{peaks[1]:.0f}"]
        cells += [f"**{median(ratios):.0f}x** ({min(ratios):.0f}-{max(ratios):.0f})"]
        cells += [f"{found['value']:.0e}", f"{found['gradient']:.0e}"] if same else ["other formula"] * 2
    else:
        cells += ["-"] * 5
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, theirs up to 512 rows only")
    parser.add_argument("--only", choices=SIDES, help="measure only this loss")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak)
        return
    torch.set_num_threads(options.threads)
    machine = torch.cuda.get_device_name() if options.device != "cpu" else f"{platform.machine()} CPU"
    print(f"{machine}, {options.threads} threads, torch {torch.__version__}, dim {options.dim}, seed {options.seed}\n")
    print("| loss | B | K | ms | MiB | theirs: ms | MiB | ratio of time | value differs | gradient differs |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in SIDES if options.only is None else (options.only,):
        for rows, per_class in SIZES:
            print(row(name, rows, per_class, options), flush=True)


if __name__ == "__main__":
    main()
