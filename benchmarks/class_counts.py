"""Memory and time of a training step with very many classes: ArcFace with sampled class weights, against all of them.

    python benchmarks/class_counts.py [--threads 1] [--steps 20] [--seed 0]

Each row is a process of its own that trains a small encoder (two linear layers) on random numbers: forward, backward,
and a step of the encoder and of the class weights. Peak memory is all that the process ever held, Python and torch
included (Linux). With a sample rate of 1 the class weights are an ordinary parameter, trained by the encoder's AdamW,
as other libraries do it. Prints a Markdown table; exits with 1 if a million classes at rate 0.01 need more than 2 GB.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

# classes, sample rate
ROWS = ((10_000, 1.0), (100_000, 1.0), (100_000, 0.1), (100_000, 0.01), (1_000_000, 0.01), (1_000_000, 0.001))
LIMIT = 2e9


def train(classes: int, rate: float, options: argparse.Namespace) -> dict[str, float]:
    """Peak bytes, and median seconds of a step."""
    import torch

    from nearkin.losses import ArcFaceLoss, step_sampled

    torch.set_num_threads(options.threads)
    random = torch.Generator().manual_seed(options.seed)
    torch.manual_seed(options.seed)
    encoder = torch.nn.Sequential(
        torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, options.dim), torch.nn.LayerNorm(options.dim)
    )
    loss = ArcFaceLoss(classes, options.dim, sample_rate=rate, generator=random)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *loss.parameters()], lr=1e-3)
    seconds = []
    for _ in range(options.steps):
        pictures = torch.randn(options.batch_size, 512, generator=random)
        labels = torch.randint(classes, (options.batch_size,), generator=random)
        started = time.perf_counter()
        optimizer.zero_grad()
        loss(encoder(pictures), labels).backward()
        optimizer.step()
        step_sampled(loss, 1e-3)
        seconds.append(time.perf_counter() - started)
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    return {"peak": peak, "seconds": sorted(seconds)[len(seconds) // 2]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(train(*json.loads(options.row), options)))
        return 0
    print(f"{platform.machine()} CPU, {options.threads} thread(s), batch {options.batch_size}, dim {options.dim}\n")
    print("| classes | sample rate | class weights | peak memory | steps/s |\n|---|---|---|---|---|")
    too_much = False
    for classes, rate in ROWS:
        command = [sys.executable, *sys.argv, "--row", json.dumps([classes, rate])]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        weights = 4 * classes * options.dim
        print(
            f"| {classes:,} | {rate:g} | {weights / 1e9:.2f} GB | {found['peak'] / 1e9:.2f} GB "
            f"| {1 / found['seconds']:.1f} |",
            flush=True,
        )
        too_much |= (classes, rate) == (1_000_000, 0.01) and found["peak"] > LIMIT
    return int(too_much)


if __name__ == "__main__":
    sys.exit(main())
