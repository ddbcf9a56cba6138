"""Time and memory of each loss, forward and backward, against other libraries; prints a Markdown table.

    python benchmarks/losses.py [--only triplet ...] [--sizes 128 512] [--per-class 4 32] [--dims 128 512]
                                [--threads 1] [--device cpu] [--seed 0] [--json losses.json] [--oml]

Peers: pytorch-metric-learning; open-metric-learning with `--oml`; for pairs of pictures and texts, and where neither
has the loss, the formula in plain PyTorch. Both get the same unit vectors, spread widely around a centre for each
class, in turns in one process: a round is one call of each, the ratio is taken within the round, and the table shows
its median and its range over the rounds. Time is that of the processor, or on a GPU that of the wall. Peak memory is
what one call adds to a process that has made a small one (or, on a GPU, to the memory that torch holds). Where the
formulas are the same, "differs" says how far value and gradient are from theirs computed in float64, relative to the
value and to the length of the gradient; else a letter says why.

The losses are those of nearkin's registries; one without a peer here is measured alone: "-". A peer is left out too
where it would take more than 4 GiB or 10 seconds a call, estimated from how it grows.
"""

import argparse
import ctypes
import json
import math
import multiprocessing
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from pytorch_metric_learning import distances as pml_distances
from pytorch_metric_learning import losses as pml
from pytorch_metric_learning import miners
from torch import Tensor

from nearkin import losses

Loss = Callable[[Tensor, Tensor], Tensor]

LARGEST_PEER = 4 * 2**30
LONGEST_CALL = 10.0

REASONS = {
    "a": "theirs is linear in the distance and averages positives and negatives apart",
    "b": "theirs takes all negatives between positive and margin, ours the nearest further off",
    "c": "theirs counts the anchor as an answer to itself",
    "d": "theirs takes distances, not their squares",
    "e": "each side has class weights of its own; theirs is plain PyTorch for softmax and center",
}


@dataclass(frozen=True)
class Pairing:
    """A loss and its peer.

    Args:
        ours, theirs: made for so many classes and dimensions; theirs is None if there is no peer.
        bytes_of_theirs: about how much theirs takes for so many rows with so many of each class.
        reason: why the numbers differ, a key of REASONS; empty if they do not.
    """

    ours: Callable[[int, int], Loss]
    theirs: Callable[[int, int], Loss] | None
    bytes_of_theirs: Callable[[int, int], float] = lambda rows, _: 40 * rows**2
    reason: str = ""


def always(loss: Loss) -> Callable[[int, int], Loss]:
    return lambda classes, dim: loss


def euclidean(power: int) -> Any:
    return pml_distances.LpDistance(normalize_embeddings=False, p=2, power=power)


def dot() -> Any:
    return pml_distances.DotProductSimilarity(normalize_embeddings=False)


def mined(loss: Any, miner: Any) -> Loss:
    return lambda embeddings, labels: loss(embeddings, labels, miner(embeddings, labels))


def all_triplets(rows: int, per_class: int) -> float:
    return 60.0 * rows * (per_class - 1) * (rows - per_class)


def positives_by_negatives(rows: int, per_class: int) -> float:
    return 40.0 * rows * (per_class - 1) * rows * (rows - per_class)


def soft_triplets_plainly(embeddings: Tensor, labels: Tensor) -> Tensor:
    squared = torch.cdist(embeddings, embeddings).square()
    same = labels[:, None] == labels
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    triplets = positive[:, :, None] & ~same[:, None, :]
    return F.softplus(squared[:, :, None] - squared[:, None, :])[triplets].mean()


def two_towers(loss: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """The first half of the rows are pictures, the second half texts."""
    return lambda embeddings, _: loss(*embeddings.chunk(2))


def info_nce_plainly(images: Tensor, texts: Tensor) -> Tensor:
    scores, own = images @ texts.T / 0.07, torch.arange(len(images), device=images.device)
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


def siglip_plainly(images: Tensor, texts: Tensor) -> Tensor:
    logits = 10 * images @ texts.T - 10
    signs = 2 * torch.eye(len(images), device=images.device, dtype=images.dtype) - 1
    return -F.logsigmoid(signs * logits).sum() / len(images)


def vse_plainly(images: Tensor, texts: Tensor) -> Tensor:
    scores = images @ texts.T
    own = scores.diag()[:, None]
    itself = torch.eye(len(images), dtype=torch.bool, device=images.device)
    by_image = (0.2 + scores - own).clamp(min=0).masked_fill(itself, 0)
    by_text = (0.2 + scores - own.T).clamp(min=0).masked_fill(itself, 0)
    return (by_image.max(1).values.sum() + by_text.max(0).values.sum()) / len(images)


PEERS: dict[str, Pairing] = {
    "triplet": Pairing(
        always(partial(losses.triplet_loss, margin=0.2)),
        always(pml.TripletMarginLoss(margin=0.2, distance=euclidean(power=2))),
        all_triplets,
    ),
    "triplet, soft margin": Pairing(
        always(partial(losses.triplet_loss, margin="soft")),
        always(soft_triplets_plainly),
        lambda rows, _: 20.0 * rows**3,
    ),
    "batch-hard-triplet": Pairing(
        always(partial(losses.batch_hard_triplet_loss, margin=0.2, reduction="mean_nonzero")),
        always(
            mined(
                pml.TripletMarginLoss(margin=0.2, distance=euclidean(power=1)),
                miners.BatchHardMiner(distance=euclidean(power=1)),
            )
        ),
    ),
    "semi-hard-triplet": Pairing(
        always(losses.semi_hard_triplet_loss),
        always(
            mined(
                pml.TripletMarginLoss(margin=0.2, distance=euclidean(power=2)),
                miners.TripletMarginMiner(margin=0.2, type_of_triplets="semihard", distance=euclidean(power=2)),
            )
        ),
        all_triplets,
        "b",
    ),
    "contrastive": Pairing(
        always(partial(losses.contrastive_loss, margin=1.4)),
        always(pml.ContrastiveLoss(pos_margin=0.0, neg_margin=1.4, distance=euclidean(power=1))),
        reason="a",
    ),
    "multi-similarity": Pairing(
        always(partial(losses.multi_similarity_loss, beta=50.0)), always(pml.MultiSimilarityLoss(distance=dot()))
    ),
    # Theirs makes unit rows itself, which changes nothing here but the gradient along the row.
    "circle": Pairing(
        always(lambda x, labels: losses.circle_loss(F.normalize(x), labels, gamma=80.0)),
        always(pml.CircleLoss(m=0.4, gamma=80)),
    ),
    "nt-xent": Pairing(
        always(partial(losses.nt_xent_loss, temperature=0.1)),
        always(pml.NTXentLoss(temperature=0.1, distance=dot())),
        positives_by_negatives,
    ),
    "supcon": Pairing(
        always(partial(losses.supcon_loss, temperature=0.1)), always(pml.SupConLoss(temperature=0.1, distance=dot()))
    ),
    "lifted-structure": Pairing(
        always(losses.lifted_structure_loss), always(pml.GeneralizedLiftedStructureLoss(distance=euclidean(power=1)))
    ),
    "smooth-ap": Pairing(
        always(partial(losses.smooth_ap_loss, temperature=0.01)),
        always(pml.SmoothAPLoss()),
        lambda rows, _: 28.0 * rows**3,
        reason="c",
    ),
    "info-nce": Pairing(
        always(two_towers(losses.info_nce_loss)), always(two_towers(info_nce_plainly)), lambda rows, _: 15 * rows**2
    ),
    "siglip": Pairing(
        always(two_towers(losses.siglip_loss)), always(two_towers(siglip_plainly)), lambda rows, _: 15 * rows**2
    ),
    "vse": Pairing(always(two_towers(losses.vse_loss)), always(two_towers(vse_plainly)), lambda rows, _: 15 * rows**2),
}


def class_weight_peers() -> dict[str, Pairing]:
    """Losses with class weights: each side has its own, drawn alike where that can be said."""

    def ours(name: str, **options: Any) -> Callable[[int, int], Loss]:
        return lambda classes, dim: losses.build_loss(name, classes=classes, dim=dim, options=options)

    def theirs(make: Callable[..., Any], **options: Any) -> Callable[[int, int], Loss]:
        return lambda classes, dim: make(num_classes=classes, embedding_size=dim, **options)

    def linear(classes: int, dim: int) -> Loss:
        head = torch.nn.Linear(dim, classes)
        return lambda embeddings, labels: F.cross_entropy(head.to(embeddings)(embeddings), labels)

    def center(classes: int, dim: int) -> Loss:
        centers = torch.randn(classes, dim, requires_grad=True)
        return lambda x, labels: (x - centers.to(x)[labels]).square().sum(1).mean() / 2

    def bytes_of(rows: int, per_class: int) -> float:
        return 60.0 * rows * rows / per_class

    def pairing(one: Callable[[int, int], Loss], other: Callable[[int, int], Loss]) -> Pairing:
        return Pairing(one, other, bytes_of, "e")

    return {
        "softmax": pairing(ours("softmax"), linear),
        "normalised-softmax": pairing(ours("normalised-softmax"), theirs(pml.NormalizedSoftmaxLoss)),
        "center": pairing(ours("center"), center),
        "sphereface": pairing(ours("sphereface"), theirs(pml.SphereFaceLoss)),
        "cosface": pairing(ours("cosface"), theirs(pml.CosFaceLoss)),
        "arcface": pairing(ours("arcface"), theirs(pml.ArcFaceLoss)),
        "proxy-nca": pairing(ours("proxy-nca"), theirs(pml.ProxyNCALoss)),
        "proxy-anchor": pairing(ours("proxy-anchor"), theirs(pml.ProxyAnchorLoss)),
    }


def without_peers() -> dict[str, Pairing]:
    """Every loss of the registries, alone."""

    def on_labels(name: str) -> Callable[[int, int], Loss]:
        return lambda classes, dim: losses.build_loss(name, classes=classes, dim=dim)

    def on_captions(name: str) -> Callable[[int, int], Loss]:
        return lambda classes, dim: two_towers(losses.build_caption_loss(name))

    found = {name: Pairing(on_labels(name), None) for name in losses.LOSSES}
    return found | {name: Pairing(on_captions(name), None) for name in losses.CAPTION_LOSSES}


def oml_peers() -> dict[str, Pairing]:
    """What open-metric-learning has of these, all without squares."""
    from oml.losses.triplet import TripletLossWithMiner
    from oml.miners.inbatch_all_tri import AllTripletsMiner
    from oml.miners.inbatch_hard_tri import HardTripletsMiner

    hard = TripletLossWithMiner(margin=0.2, miner=HardTripletsMiner())
    return {
        "triplet, OML": Pairing(
            PEERS["triplet"].ours,
            always(TripletLossWithMiner(margin=0.2, miner=AllTripletsMiner())),
            # Theirs gathers the rows of each triplet.
            lambda rows, per_class: all_triplets(rows, per_class) * 30,
            "d",
        ),
        "batch-hard-triplet, OML": Pairing(
            always(partial(losses.batch_hard_triplet_loss, margin=0.2)), always(hard), reason=""
        ),
    }


def draw(rows: int, per_class: int, dim: int, seed: int, device: str) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    labels = torch.randperm(rows, generator=random) // per_class
    # Smooth-AP of pytorch-metric-learning wants the classes one after another.
    labels = labels.sort().values
    centres = F.normalize(torch.randn(rows // per_class, dim, generator=random))
    spread = F.normalize(torch.randn(rows, dim, generator=random))
    embeddings = F.normalize(0.5 * centres[labels] + spread)
    return embeddings.to(device).requires_grad_(), labels.to(device)


def step(loss: Loss, embeddings: Tensor, labels: Tensor) -> tuple[float, Tensor, float]:
    """Value, gradient and seconds of one forward and backward pass."""
    embeddings.grad = None
    clock = time.perf_counter if embeddings.is_cuda else time.process_time
    started = clock()
    value = loss(embeddings, labels)
    value.backward()
    # Waits for a GPU, too.
    number = value.item()
    assert embeddings.grad is not None
    embeddings.grad[0, 0].item()
    return number, embeddings.grad, clock() - started


def peak_of_one_call(loss: Loss, batch: tuple[Tensor, Tensor]) -> float:
    """MiB that one call adds: on a CPU in a fork, whose own high-water mark is reset."""
    if batch[0].is_cuda:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step(loss, *batch)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    # What the parent has freed and not given back would hide what the child needs.
    ctypes.CDLL(None).malloc_trim(0)
    fork = multiprocessing.get_context("fork")
    found = fork.SimpleQueue()
    child = fork.Process(target=_peak, args=(loss, batch, found))
    child.start()
    child.join()
    return found.get() if child.exitcode == 0 else math.nan


def _peak(loss: Loss, batch: tuple[Tensor, Tensor], found: Any) -> None:
    # What the first call loads, and the parent's pages that it writes to, are no memory of the loss.
    embeddings, labels = (side[: len(side) // 4].detach() for side in batch)
    step(loss, embeddings.requires_grad_(), labels)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    step(loss, *batch)
    found.put(max(0.0, resident("VmHWM") - before))


def resident(field: str) -> float:
    """MiB in memory: VmRSS now, VmHWM at most so far (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 2**10


def measure(
    pairing: Pairing, rows: int, per_class: int, dim: int, rate: float, options: argparse.Namespace
) -> dict[str, Any]:
    """Seconds of both pairing in turns, their peak memory, and how far values and gradients differ.

    `rate` is what theirs took for each byte that it was thought to need, in the last size before.
    """
    torch.manual_seed(options.seed)
    classes = rows // per_class
    ours = pairing.ours(classes, dim)
    theirs = None if pairing.theirs is None else pairing.theirs(classes, dim)
    for loss in (ours, theirs):
        if isinstance(loss, torch.nn.Module):
            loss.to(options.device)
    batch = draw(rows, per_class, dim, options.seed, options.device)
    needed = pairing.bytes_of_theirs(rows, per_class)
    both = theirs is not None and needed < LARGEST_PEER and needed * rate < LONGEST_CALL
    step(ours, *batch)
    found: dict[str, Any] = {"ours_s": [], "theirs_s": [], "theirs_bytes": needed}
    if both:
        step(theirs, *batch)
        if not pairing.reason and rows <= 512:
            exact = batch[0].detach().double().requires_grad_()
            value, gradient, _ = step(ours, *batch)
            other_value, other_gradient, _ = step(theirs, exact, batch[1])
            found["value_differs"] = abs(value - other_value) / abs(other_value)
            found["gradient_differs"] = float((gradient - other_gradient).norm() / other_gradient.norm())
    started = time.perf_counter()
    while len(found["ours_s"]) < 3 or (time.perf_counter() - started < options.seconds and len(found["ours_s"]) < 15):
        found["ours_s"].append(step(ours, *batch)[2])
        if both:
            found["theirs_s"].append(step(theirs, *batch)[2])
    found["ours_mib"] = peak_of_one_call(ours, batch)
    if both:
        found["theirs_mib"] = peak_of_one_call(theirs, batch)
        found["ratios"] = [theirs / ours for ours, theirs in zip(found["ours_s"], found["theirs_s"], strict=True)]
    return found


def number(x: float) -> str:
    return f"{x:.0f}" if x >= 9.95 else f"{x:.1f}"


def row(name: str, rows: int, per_class: int, dim: int, pairing: Pairing, found: dict[str, Any]) -> str:
    cells = [name, str(rows), str(per_class), str(dim), number(1000 * median(found["ours_s"]))]
    if found["theirs_s"]:
        ratios = found["ratios"]
        cells += [number(1000 * median(found["theirs_s"]))]
        cells += [f"**{number(median(ratios))}x** ({number(min(ratios))}-{number(max(ratios))})"]
        cells += [number(found["ours_mib"]), number(found["theirs_mib"])]
        same = f"{found['value_differs']:.0e}, {found['gradient_differs']:.0e}" if "value_differs" in found else ""
        cells += [pairing.reason or same]
    else:
        cells += ["-", "-", number(found["ours_mib"]), "-", ""]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="measure only these losses")
    parser.add_argument("--sizes", type=int, nargs="+", default=(128, 512, 1024, 2048, 4096), help="rows of a batch")
    parser.add_argument("--per-class", type=int, nargs="+", default=(4, 32))
    parser.add_argument("--dims", type=int, nargs="+", default=(128, 512))
    parser.add_argument("--seconds", type=float, default=2.0, help="time for the rounds of each line, at least three")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--oml", action="store_true", help="open-metric-learning as well, if it can be imported")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write every number here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    every = {**without_peers(), **PEERS, **class_weight_peers(), **(oml_peers() if options.oml else {})}
    unknown = set(options.only or ()) - set(every)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(every)}")
    machine = torch.cuda.get_device_name() if options.device != "cpu" else f"{platform.machine()} CPU"
    print(f"{machine}, {options.threads} threads, torch {torch.__version__}, seed {options.seed}\n")
    print("| loss | B | K | d | ms | theirs | ratio of time | MiB | theirs | differs |\n" + "|---" * 10 + "|")
    lines, reasons = [], set()
    for name in options.only or every:
        for dim in options.dims:
            for per_class in options.per_class:
                rate = 0.0
                for rows in options.sizes:
                    found = measure(every[name], rows, per_class, dim, rate, options)
                    if found["theirs_s"]:
                        rate = median(found["theirs_s"]) / found["theirs_bytes"]
                    print(row(name, rows, per_class, dim, every[name], found), flush=True)
                    lines.append({"loss": name, "rows": rows, "per_class": per_class, "dim": dim, **found})
                    reasons.add(every[name].reason)
                    if options.json:
                        options.json.write_text(json.dumps(lines, indent=1))
    print("", *(f"{letter}: {REASONS[letter]}" for letter in sorted(reasons - {""})), sep="\n")


if __name__ == "__main__":
    main()
