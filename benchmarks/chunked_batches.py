"""Peak memory and time of one training step of a large batch, whole and in chunks; prints a Markdown table.

    python benchmarks/chunked_batches.py [--batch 4096] [--chunk 128] [--side 32] [--backbone conv4] [--threads 1]

Each step runs in a fresh process: triplet loss over the whole batch, backward, AdamW. Peak memory is what the step adds
to the process. The gradients are compared in float64 on a smaller batch, with batch norms in evaluation mode, since in
training mode a batch norm sees a chunk.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import torch
from torch import Tensor, nn

from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.losses import triplet_loss
from nearkin.training.grad_cache import in_chunks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--chunk", type=int, default=128)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--backbone", default="conv4")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--step", nargs=2, type=int, help="(one step, of this batch and chunk; prints JSON)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.step:
        print(json.dumps(step(options.backbone, options.side, *options.step)))
        return
    print("| batch | chunk | seconds | peak memory, MiB |\n|---|---|---|---|")
    for batch, chunk in (
        (options.chunk, options.chunk),
        (options.batch, options.chunk),
        (options.batch, options.batch),
    ):
        command = [sys.executable, __file__, "--backbone", options.backbone, "--side", str(options.side)]
        command += ["--threads", str(options.threads), "--step", str(batch), str(chunk)]
        figures = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(f"| {batch} | {chunk} | {figures['seconds']:.1f} | {figures['mebibytes']:,.0f} |", flush=True)
    print(f"\nLargest difference of a gradient, relative to its largest number: {difference(options.backbone):.0e}")


def network(backbone: str, side: int) -> nn.Module:
    torch.manual_seed(0)
    return ImageTower(ImageTowerConfig(backbone, dim=128, height=side, width=side)).train()


def step(backbone: str, side: int, batch: int, chunk: int) -> dict[str, float]:
    """Seconds and mebibytes of the second of two steps; the first pays for what a process does once."""
    net = network(backbone, side)
    optimizer = torch.optim.AdamW(net.parameters())
    pictures = torch.rand(batch, 3, side, side)
    started = before = 0.0
    for rows in (pictures[:8], pictures):
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        embeddings = nn.functional.normalize(in_chunks(lambda _, some: net(some), rows, size=chunk, network=net))
        triplet_loss(embeddings, torch.arange(len(rows)) // 4).backward()
        optimizer.step()
        optimizer.zero_grad()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": time.perf_counter() - started, "mebibytes": (peak - before) / 1024}


def difference(backbone: str) -> float:
    """Of the gradients of 64 pictures, whole and in chunks of 12, in float64."""
    net, pictures = network(backbone, 32).double().eval(), torch.rand(64, 3, 32, 32).double()

    def gradients(size: int) -> list[Tensor]:
        rows = in_chunks(lambda _, some: net(some), pictures, size=size, network=net)
        loss = triplet_loss(nn.functional.normalize(rows), torch.arange(64) // 4)
        return list(torch.autograd.grad(loss, list(net.parameters())))

    pairs = zip(gradients(12), gradients(64), strict=True)
    return max(float((ours - whole).abs().max() / whole.abs().max().clamp(min=1e-30)) for ours, whole in pairs)


if __name__ == "__main__":
    sys.exit(main())
