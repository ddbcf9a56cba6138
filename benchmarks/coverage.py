"""How often do the 95 % intervals of nearkin.evaluation hold the truth?

Two kinds of simulated data with known truth:

- `values`: classes of unequal size whose success rates differ (beta distributed), queries that succeed at that rate;
  tests the bootstrap alone, against the percentile interval and one that draws queries instead of classes.
- `vectors`: whole data sets of classes drawn anew, embedded around class centres, judged by `retrieval` or
  `cross_modal`; the truth is the mean over all data sets. Classes here stand in each other's way, so that a query's
  outcome also hangs on which other classes were drawn, which a bootstrap over query classes cannot see.

    python benchmarks/coverage.py [--runs 1000]

Measured with 300 runs (so +-2.5): `values` 93 to 97 % for success rates of 0.5 (10 to 100 classes) and 0.9 (10 and 30),
98 to 100 % for 0.98 with 10 and 30 classes (too wide rather than too narrow); drawing queries instead of classes 73 to
99 %. `vectors` 94 to 96 % from 100 classes or pictures on, 91 to 92 % for 20 classes among themselves (too narrow).
"""

import argparse
from collections import Counter

import numpy as np

from nearkin.evaluation import bootstrap_mean, cross_modal, retrieval


def values(runs: int) -> None:
    print(f"\nvalues, {runs} runs: share of intervals that hold the truth, in %")
    print("| classes | success | cohesion | sizes | nearkin (BCa) | percentile | drawing queries |")
    print("|---|---|---|---|---|---|---|")
    generator = np.random.default_rng(0)
    for classes in (10, 30, 100):
        for success in (0.5, 0.9, 0.98):
            for cohesion in (0.05, 0.3):
                for largest in (5, 10):
                    held: Counter[str] = Counter()
                    for run in range(runs):
                        shape = (1 - cohesion) / cohesion
                        rates = generator.beta(success * shape, (1 - success) * shape, size=classes)
                        sizes = generator.integers(1, 11, size=classes) if largest == 10 else np.full(classes, 5)
                        groups = np.repeat(np.arange(classes), sizes)
                        right = (generator.random(len(groups)) < rates[groups]).astype(float)
                        intervals = {
                            "ours": _ends(bootstrap_mean(right, groups=groups, within=(0.0, 1.0), seed=run)),
                            "percentile": _percentile(right, groups, run),
                            "queries": _ends(bootstrap_mean(right, within=(0.0, 1.0), seed=run)),
                        }
                        held.update(name for name, (low, high) in intervals.items() if low <= success <= high)
                    shown = (f"{100 * held[name] / runs:.1f}" for name in ("ours", "percentile", "queries"))
                    kind = "1-10" if largest == 10 else "5"
                    print(f"| {classes} | {success} | {cohesion} | {kind} | {' | '.join(shown)} |", flush=True)


def _ends(figure):
    return figure.low, figure.high


def _percentile(right, groups, seed):
    sums, counts = np.bincount(groups, weights=right), np.bincount(groups)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(1000, len(sums)))
    return np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])


def vectors(runs: int) -> None:
    print(
        f"\nvectors, {runs} runs: value (mean), share of intervals that hold it, in %; spread of the value over runs,"
    )
    print("and that which the intervals tell (a quarter of their mean width)")
    print("| data | metric | value | held | spread | told |")
    print("|---|---|---|---|---|---|")
    for classes in (20, 100):
        for noise in (0.8, 1.6):
            for separate in (False, True):
                figures = [_retrieval(classes, noise, separate, run) for run in range(runs)]
                name = f"{classes} classes of 5, noise {noise}, {'gallery fixed' if separate else 'leave one out'}"
                _show(name, figures, ("recall@1", "map@r"))
    for pictures in (100, 500):
        figures = [_cross_modal(pictures, run) for run in range(runs)]
        _show(f"{pictures} pictures, 5 texts each", figures, ("text_to_image/recall@5", "image_to_text/recall@5"))


def _show(name, figures, metrics):
    for metric in metrics:
        values = np.array([run[metric].value for run in figures])
        low, high = (np.array([getattr(run[metric], end) for run in figures]) for end in ("low", "high"))
        truth = values.mean()
        held = 100 * np.mean((low <= truth) & (truth <= high))
        told = np.mean(high - low) / 3.92
        print(f"| {name} | {metric} | {truth:.3f} | {held:.1f} | {values.std():.4f} | {told:.4f} |", flush=True)


def _retrieval(classes, noise, separate, seed, each=5, dim=16):
    """Query classes are drawn anew each run; so are the distractor classes, unless the gallery is fixed."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    vectors = generator.normal(size=(classes, dim))[labels] + noise * generator.normal(size=(len(labels), dim))
    if not separate:
        return retrieval(vectors, labels, seed=seed)
    # The distractors are the same in every run, and the queries' own classes have one gallery picture each; a query
    # class's gallery picture hardly matters to others among so many distractors.
    fixed = np.random.default_rng(12345).normal(size=(20 * classes, dim)) * np.sqrt(1 + noise**2)
    is_query = np.arange(len(labels)) % each > 0
    return retrieval(
        np.concatenate([vectors, fixed]),
        np.concatenate([labels, np.full(len(fixed), -1)]),
        is_query=np.concatenate([is_query, np.zeros(len(fixed), dtype=bool)]),
        is_gallery=np.concatenate([~is_query, np.ones(len(fixed), dtype=bool)]),
        seed=seed,
    )


def _cross_modal(pictures, seed, texts=5, dim=16):
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(pictures, dim))
    owners = np.repeat(np.arange(pictures), texts)
    # Some pictures are harder to describe than others.
    hardness = generator.uniform(0.5, 2.0, size=pictures)[owners, None]
    return cross_modal(images, images[owners] + hardness * generator.normal(size=(len(owners), dim)), owners, seed=seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    vectors(runs)
    values(runs)
