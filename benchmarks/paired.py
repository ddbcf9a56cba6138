"""How often `paired_differences` calls a difference real where there is none: nominally in 5 % of comparisons.

    python benchmarks/paired.py [--trials 200]

Candidates are equally good. Classes differ in how hard they are, for all and for each; each training ends better or
worse by chance, by `training` (standard deviation of its log-odds; at 0.1 about 2 points of recall).
"""

import argparse

import numpy as np

from nearkin.intervals.all_pairwise import paired_differences

CLASSES, QUERIES = 40, 10


def simulate(random: np.random.Generator, candidates: int, repeats: int, training: float) -> np.ndarray:
    """Right or wrong, `[candidates, repeats * classes * queries]`."""
    shape = (repeats, CLASSES, QUERIES, candidates)
    odds = (
        1.0
        + random.normal(0, 1.0, (repeats, CLASSES, 1, 1))
        + random.normal(0, 0.5, (repeats, CLASSES, 1, candidates))
        + random.normal(0, training, (repeats, 1, 1, candidates))
    )
    # Half of the luck of a query is shared: it is a hard picture for all.
    shared = np.broadcast_to(random.random((*shape[:3], 1)), shape)
    luck = np.where(random.random(shape) < 0.5, shared, random.random(shape))
    return (luck < 1 / (1 + np.exp(-odds))).reshape(-1, candidates).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    trials = parser.parse_args().trials
    print("| candidates | repeats | training | called real, % of comparisons |\n|---|---|---|---|")
    for candidates, repeats in ((2, 3), (6, 2), (6, 3), (10, 3), (6, 5)):
        classes = np.repeat(np.arange(repeats * CLASSES), QUERIES)
        for training in (0.0, 0.1, 0.2):
            wrong = 0
            for trial in range(trials):
                values = simulate(np.random.default_rng(trial), candidates, repeats, training)
                found = paired_differences(
                    values, classes=classes, repeats=classes // CLASSES, seed=trial, resamples=1000
                )
                wrong += any(difference.is_real for difference in found)
            print(f"| {candidates} | {repeats} | {training} | {100 * wrong / trials:.1f} |", flush=True)


if __name__ == "__main__":
    main()
