"""Retrieval figures on many vectors: time and peak memory, against pytorch-metric-learning's AccuracyCalculator.

    python benchmarks/retrieval.py [--pictures 100000] [--classes 10000] [--dim 128] [--threads 2]

Each side runs in a process of its own. The other needs faiss (`pip install faiss-cpu`) and computes precision@1,
R-precision and MAP@R; ours these, recall@1, 5, 10, and intervals.

Measured on 2 cores of an AMD EPYC that other work shared (load 5), the same figures on both sides: nearkin 128 s,
83 s of processor time, peak 0.8 GiB; pytorch-metric-learning 2.9 with faiss 1.15 432 s, 244 s of processor time,
10 GiB.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

SIDES = ("nearkin", "pytorch-metric-learning", "data only")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--noise", type=float, default=2.0, help="spread within a class, 1 between classes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=SIDES, help="run only this one, in this process")
    options = parser.parse_args()
    if options.side:
        run(options)
        return
    environment = os.environ | {name: str(options.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    for side in SIDES:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--side", side], env=environment, check=True)


def run(options: argparse.Namespace) -> None:
    import numpy as np
    import torch

    torch.set_num_threads(options.threads)
    generator = np.random.default_rng(0)
    labels = generator.integers(options.classes, size=options.pictures)
    vectors = generator.standard_normal((options.classes, options.dim), dtype=np.float32)[labels]
    vectors += options.noise * generator.standard_normal(vectors.shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    started, processor = time.perf_counter(), time.process_time()
    figures = {}
    if options.side == "nearkin":
        from nearkin.evaluation import retrieval

        figures = {name: figure.value for name, figure in retrieval(vectors, labels).items()}
    elif options.side == "pytorch-metric-learning":
        from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

        include = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
        # Without k it ranks everything, which here takes 40 GB.
        calculator = AccuracyCalculator(include=include, k="max_bin_count", device=torch.device("cpu"))
        figures = calculator.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(labels))
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    shown = ", ".join(f"{name} {value:.5f}" for name, value in figures.items())
    print(f"{options.side}: {seconds:.1f} s, {processor:.1f} s of processor, peak {peak:.2f} GiB; {shown}", flush=True)


if __name__ == "__main__":
    main()
