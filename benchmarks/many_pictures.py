"""Figures on many vectors: time and peak memory, against what others offer.

    python benchmarks/many_pictures.py [--pictures 100000] [--classes 10000] [--dim 128] [--threads 2]
    python benchmarks/many_pictures.py --protocol verification --pictures 50000 --classes 5000

Each side runs in a process of its own. retrieval: pytorch-metric-learning's AccuracyCalculator with faiss (`pip install
faiss-cpu`), which computes precision@1, R-precision and MAP@R; ours these and more, with intervals. verification, over
all pairs: scikit-learn's roc_curve over the list of all scores, which takes 40 bytes a pair; ours with intervals.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

PEERS = {"retrieval": "pytorch-metric-learning", "verification": "scikit-learn"}
# Above, the list of all pairs and its sorted copies would not fit the memory that these machines have.
MOST_PAIRS = 2e8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=list(PEERS), default="retrieval")
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--noise", type=float, default=2.0, help="spread within a class, 1 between classes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", help="run only this one, in this process")
    options = parser.parse_args()
    if options.side:
        run(options)
        return
    environment = os.environ | {name: str(options.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    for side in ("nearkin", PEERS[options.protocol], "data only"):
        if side == "scikit-learn" and options.pictures**2 / 2 > MOST_PAIRS:
            pairs = options.pictures**2 / 2
            print(f"scikit-learn: left out, {pairs:.3g} pairs need {40 * pairs / 1e9:.0f} GB")
            continue
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
    figures: dict[str, float] = {}
    if options.side == "nearkin":
        from nearkin.evaluation import retrieval, verification_all_pairs

        protocol = retrieval if options.protocol == "retrieval" else verification_all_pairs
        figures = {name: figure.value for name, figure in protocol(vectors, labels).items()}
    elif options.side == "pytorch-metric-learning":
        from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

        include = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
        # Without k it ranks everything, which here takes 40 GB.
        calculator = AccuracyCalculator(include=include, k="max_bin_count", device=torch.device("cpu"))
        figures = calculator.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(labels))
    elif options.side == "scikit-learn":
        from sklearn.metrics import auc, roc_curve

        one, other = np.triu_indices(len(labels), 1)
        far, tar, _ = roc_curve(labels[one] == labels[other], (vectors @ vectors.T)[one, other])
        figures = {"auc": auc(far, tar), "tar@far=1e-3": float(tar[np.searchsorted(far, 1e-3, side="right") - 1])}
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    shown = ", ".join(f"{name} {value:.5f}" for name, value in figures.items())
    print(f"{options.side}: {seconds:.1f} s, {processor:.1f} s of processor, peak {peak:.2f} GiB; {shown}", flush=True)


if __name__ == "__main__":
    main()
