"""How often do the 95 % intervals of nearkin.evaluation hold the truth?

Simulated data with known truth. `values`: classes of unequal size whose success rates differ; the bootstrap alone,
against the percentile interval and one that draws queries instead of classes. `runs`: several trainings, on the same
or other classes. The others draw whole data sets, embedded around class centres, and evaluate them by a protocol;
the truth is the mean over all data sets. Classes there stand in each other's way, so that an outcome also hangs on
which other classes were drawn.

    python benchmarks/coverage.py [--runs 300] [--only retrieval verification few_shot clustering cross_modal ...]
"""

import argparse
from collections import Counter

import numpy as np

from nearkin.evaluation import bootstrap_mean, bootstrap_runs, cross_modal, few_shot, retrieval, verification
from nearkin.evaluation.metrics.all_pairs import verification_all_pairs
from nearkin.evaluation.metrics.clustering import clustering
from nearkin.similarity.clustering.agglomerative import average_linkage
from nearkin.similarity.clustering.k_means import k_means


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


def runs_(runs: int) -> None:
    print(f"\nruns, {runs} trials: trainings that differ, evaluated on 30 classes that differ; share held, in %")
    print("| trainings | the same classes | other classes each |\n|---|---|---|")
    for trainings in (2, 3, 5):
        shares = []
        for own in (False, True):
            generator = np.random.default_rng(0)
            held = 0
            for trial in range(runs):
                classes = generator.normal(size=(trainings if own else 1, 30))
                level = 0.2 * generator.normal(size=(trainings, 1)) + classes
                values = level + 0.3 * generator.normal(size=(trainings, 30))
                groups = np.arange(trainings * 30).reshape(-1, 30) if own else np.arange(30)
                figure = bootstrap_runs(list(values), groups=groups, seed=trial)
                held += figure.low <= 0 <= figure.high
            shares.append(f"{100 * held / runs:.1f}")
        print(f"| {trainings} | {' | '.join(shares)} |", flush=True)


def retrieval_(runs: int) -> None:
    for classes in (20, 100):
        for noise in (0.8, 1.6):
            for separate in (False, True):
                figures = [_retrieval(classes, noise, separate, run) for run in range(runs)]
                name = f"{classes} classes of 5, noise {noise}, {'gallery fixed' if separate else 'leave one out'}"
                _show(name, figures, ("recall@1", "map@r", "ndcg@10"))


def cross_modal_(runs: int) -> None:
    metrics = ("text_to_image/recall@5", "image_to_text/recall@5", "text_to_image/median_rank")
    for pictures in (100, 500):
        _show(f"{pictures} pictures, 5 texts each", [_cross_modal(pictures, run) for run in range(runs)], metrics)


def verification_(runs: int) -> None:
    for classes, far in ((40, "1e-1"), (200, "1e-3")):
        for noise in (0.5, 1.0):
            figures = []
            for run in range(runs):
                vectors, labels = _sets(classes, 4, noise, run)
                figures.append(verification_all_pairs(vectors, labels))
            name = f"all pairs of {classes} classes of 4, noise {noise}"
            _show(name, figures, ("auc", "eer", "tar@far=1e-1", *([f"tar@far={far}"] if far != "1e-1" else [])))
    for noise in (0.5, 1.0):
        figures = [_lfw(300, noise, run) for run in range(runs)]
        _show(f"list of 1,200 pairs of 300 classes, noise {noise}", figures, ("auc", "eer", "tar@far=1e-1", "accuracy"))


def _lfw(classes, noise, seed, folds=10):
    """As many same as different pairs, ten folds of classes of their own."""
    generator = np.random.default_rng(seed + 10**6)
    vectors, _ = _sets(classes, 4, noise, seed)
    people, pictures, fold = [], [], []
    for number, own in enumerate(np.array_split(np.arange(classes), folds)):
        for _ in range(60):
            one, two = generator.choice(own, 2, replace=False)
            people += [(one, one), (one, two)]
            pictures += [
                4 * one + generator.choice(4, 2, replace=False),
                4 * np.array([one, two]) + generator.integers(4, size=2),
            ]
            fold += [number, number]
    pictures, people = np.array(pictures), np.array(people)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = np.einsum("pd,pd->p", vectors[pictures[:, 0]], vectors[pictures[:, 1]])
    return verification(scores, people[:, 0] == people[:, 1], classes=people, folds=np.array(fold))


def few_shot_(runs: int) -> None:
    metrics = ("prototype", "neighbour")
    for classes in (20, 60):
        figures = []
        for run in range(runs):
            vectors, labels = _sets(classes, 20, 2.0, run)
            figures.append(few_shot(vectors, labels, shots=5, episodes=200, seed=run))
        _show(f"{classes} classes of 20, 5-way 5-shot, over classes", figures, metrics)
    vectors, labels = _sets(20, 20, 2.0, 0)
    figures = [
        few_shot(vectors, labels, shots=5, episodes=200, unit_of_interval="episodes", seed=run) for run in range(runs)
    ]
    _show("the same 20 classes each time, over episodes", figures, metrics)


def clustering_(runs: int) -> None:
    metrics = ("nmi", "ami", "ari", "bcubed_f", "pairwise_f")
    for classes in (20, 60):
        for name, make in (
            ("k-means", lambda v, k: k_means(v, k)),
            ("agglomerative", lambda v, k: average_linkage(v, clusters=k)),
        ):
            figures = []
            for run in range(runs):
                vectors, labels = _sets(classes, 10, 0.8, run)
                figures.append(clustering(make(vectors, classes), labels))
            _show(f"{classes} classes of 10, {name}", figures, metrics)


def _sets(classes, each, noise, seed, dim=16):
    """Classes around centres, some wider than others."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    width = generator.uniform(0.5, 1.5, size=classes)[labels, None] * noise
    return generator.normal(size=(classes, dim))[labels] + width * generator.normal(size=(len(labels), dim)), labels


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


PROTOCOLS = {
    "retrieval": retrieval_,
    "verification": verification_,
    "few_shot": few_shot_,
    "clustering": clustering_,
    "cross_modal": cross_modal_,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=[*PROTOCOLS, "values", "runs"])
    options = parser.parse_args()
    wanted = options.only or [*PROTOCOLS, "values", "runs"]
    if any(name in PROTOCOLS for name in wanted):
        print(
            f"\n{options.runs} runs: value (mean), share of intervals that hold it, in %; spread of the value over "
            "runs,\nand that which the intervals tell (a quarter of their mean width)\n"
            "| data | metric | value | held | spread | told |\n|---|---|---|---|---|---|"
        )
    for name, show in PROTOCOLS.items():
        if name in wanted:
            show(options.runs)
    if "values" in wanted:
        values(options.runs)
    if "runs" in wanted:
        runs_(options.runs)
