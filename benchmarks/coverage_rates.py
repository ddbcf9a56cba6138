"""Do the 95 % intervals of error rates hold, and are they as narrow as they can be?

Known truth, drawn again and again. `counts` draws how many comparisons of each pair of classes, and within each class,
are accepted, at once for up to 2,000 classes of 50 pictures (5 billion comparisons): the interval of a calibration.
`pictures` draws vectors around class centres and judges them as a user would: far and tar of `error_curve` at a fixed
threshold, tar@far and eer of the table of `evaluate`.

For both kinds of interval, "rate" and "another group", the table has the share of cases in which they hold, in %, and
their mean width over that of the best interval of that coverage: from the 2.5 % to the 97.5 % quantile of the estimate
itself (or of the difference of two groups' estimates), which nobody knows who has one data set. "-" where the data do
not support the rate: fewer than ten false accepts are to be expected.

    python benchmarks/coverage_rates.py [counts pictures cimat] [--quick] [--runs 1000]

`cimat` puts the package of that name (Fogliato, Patil & Perona 2024, Confidence intervals for error rates in 1:1
matching tasks; see requirements.txt) beside ours. `--quick` takes a tenth of the runs and no more than 50 classes.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from nearkin.calibration.error_curve import error_curve
from nearkin.evaluation.metrics.all_pairs import verification_all_pairs
from nearkin.intervals.class_rates import spread_of_class_means
from nearkin.intervals.dyadic import rate_limits
from nearkin.intervals.figure import INTERVALS
from nearkin.intervals.pair_rates import spread_of_pair_rates

HEADER = "| {0} | rate: holds | width | another group: holds | width |\n|---|---|---|---|---|"


class Kind(NamedTuple):
    """How rates differ: log-normal factors of each class and of each pair of classes, and tar's spread over classes."""

    of_class: float
    of_pair: float
    tar_spread: float


KINDS = {"alike": Kind(0.0, 0.0, 0.0), "differ": Kind(0.3, 0.5, 0.05), "differ much": Kind(0.5, 1.0, 0.1)}


class Draws(NamedTuple):
    """Of each run the estimate and the ends of its two intervals, and the truth."""

    truth: float
    rates: np.ndarray
    ends: dict[str, tuple[np.ndarray, np.ndarray]]

    def row(self, name: str) -> str:
        cells = []
        for interval, (low, high) in self.ends.items():
            if interval == "rate":
                of = self.rates
                held = np.mean((low <= self.truth) & (self.truth <= high))
            else:
                others = np.stack([np.roll(self.rates, shift) for shift in range(1, 5)])
                of = (others - self.rates).ravel()
                held = np.mean((low <= others) & (others <= high))
            best = np.diff(np.quantile(of, [0.025, 0.975]))[0]
            cells += [f"{100 * held:.1f}", f"{np.mean(high - low) / best:.2f}" if best > 0 else "-"]
        return f"| {name} | {' | '.join(cells)} |"


def class_sizes(classes: int, mean: int, *, equal: bool) -> np.ndarray:
    """Equal, or log-normal ones: of 50 classes the largest has 40 times as many pictures as the smallest."""
    if equal:
        return np.full(classes, mean)
    drawn = np.exp(stats.norm.ppf((np.arange(classes) + 0.5) / classes))
    return np.maximum(np.rint(drawn / drawn.mean() * mean), 2).astype(int)


def draw_far(sizes: np.ndarray, kind: Kind, far: float, runs: int) -> Draws:
    """Accepted different comparisons of each pair of classes; the rate that they estimate is known."""
    classes = len(sizes)
    one, two, compared = _pairs_of_classes(sizes)
    whole = compared.sum()
    rates, errors, pairs, cells = (np.empty((*shape, runs)) for shape in ((), (classes,), (), ()))
    for run, accepted in enumerate(_accepted(sizes, kind, far, runs)):
        rates[run] = accepted.sum() / whole
        parts = (accepted - rates[run] * compared) / whole
        errors[:, run] = np.bincount(one, parts, classes) + np.bincount(two, parts, classes)
        pairs[run], cells[run] = parts @ parts, max(np.count_nonzero(accepted), 1)
    spread = spread_of_pair_rates(rates, errors, pairs, weights=sizes, pictures=sizes, cells=cells)
    return Draws(_truth(kind, far), rates, _ends(rates, spread, classes * (classes - 1) // 2))


def _pairs_of_classes(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both classes of each pair, and how many comparisons they have."""
    one, two = np.triu_indices(len(sizes), 1)
    return one, two, sizes[one] * sizes[two]


def _accepted(sizes: np.ndarray, kind: Kind, far: float, runs: int) -> Iterator[np.ndarray]:
    """Of each run how many comparisons of each pair of classes are accepted; the same at every call."""
    generator = np.random.default_rng(0)
    one, two, compared = _pairs_of_classes(sizes)
    for _ in range(runs):
        factors = np.exp(kind.of_class * generator.normal(size=len(sizes)) - kind.of_class**2 / 2)
        chances = far * factors[one] * factors[two]
        if kind.of_pair:
            chances *= np.exp(kind.of_pair * generator.normal(size=len(one)) - kind.of_pair**2 / 2)
        yield generator.binomial(compared, np.minimum(chances, 1))


def _truth(kind: Kind, far: float) -> float:
    """The mean over all pairs of classes: far, but for chances that were cut off at 1."""
    sd = np.sqrt(2 * kind.of_class**2 + kind.of_pair**2)
    if not sd:
        return far
    edge = (np.log(1 / far) + sd**2 / 2) / sd
    return far * stats.norm.cdf(edge - sd) + stats.norm.sf(edge)


def draw_tar(sizes: np.ndarray, kind: Kind, tar: float, runs: int) -> Draws:
    """Accepted comparisons within each class; how easily they are accepted follows a beta distribution."""
    generator, same = np.random.default_rng(0), sizes * (sizes - 1) // 2
    shape = tar * (1 - tar) / kind.tar_spread**2 - 1 if kind.tar_spread else np.inf
    chances = (
        generator.beta(tar * shape, (1 - tar) * shape, size=(runs, len(sizes)))
        if kind.tar_spread
        else np.full((runs, len(sizes)), tar)
    )
    accepted = generator.binomial(same, chances)
    rates = accepted.sum(axis=1) / same.sum()
    errors = ((accepted - rates[:, None] * same) / same.sum()).T
    spread = spread_of_class_means(errors, same / same.sum(), same, rates * (1 - rates))
    return Draws(tar, rates, _ends(rates, spread, len(sizes)))


def _ends(rates, spread, independent: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {interval: rate_limits(rates, spread, independent=independent, interval=interval) for interval in INTERVALS}


def designs(quick: bool) -> Iterator[tuple[str, np.ndarray, Kind]]:
    """Name, sizes of classes and kind."""
    for classes in (15, 50) if quick else (15, 50, 200, 2000):
        for mean in (2, 10, 50):
            for equal in (True, False):
                for name, kind in KINDS.items():
                    # A run over two million pairs of classes takes a second.
                    if (
                        classes < 2000
                        or (mean == 10 and name != "differ")
                        or (mean, equal, name) == (50, True, "alike")
                    ):
                        shown = f"{classes} | {mean}{'' if equal else ', unequal'} | {name}"
                        yield shown, class_sizes(classes, mean, equal=equal), kind


def supported(sizes: np.ndarray) -> list[float]:
    """The false accept rates at which ten false accepts are to be expected; only low ones of many classes."""
    different = (sizes.sum() ** 2 - (sizes**2).sum()) // 2
    fars = {15: (0.1, 0.01, 0.001), 50: (0.1, 0.01, 0.001), 200: (0.01, 0.001), 2000: (0.001,)}[len(sizes)]
    return [far for far in fars if different * far >= 10]


def counts(runs: int, quick: bool) -> None:
    print(HEADER.format("classes | pictures each | classes | rate").replace("|---|", "|---|---|---|---|", 1))
    for name, sizes, kind in designs(quick):
        for far in supported(sizes):
            fewer = max(runs // {200: 3, 2000: 10}.get(len(sizes), 1), 2)
            print(draw_far(sizes, kind, far, fewer).row(f"{name} | far {far:g}"), flush=True)
        print(draw_tar(sizes, kind, 0.9, runs).row(f"{name} | tar 0.9"), flush=True)


def draw_vectors(sizes: np.ndarray, noise: float, seed: int, dim: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Classes around centres, some of them wider than others."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    width = generator.uniform(0.5, 1.5, size=len(sizes))[labels, None] * noise
    return generator.normal(size=(len(sizes), dim))[labels] + width * generator.normal(size=(len(labels), dim)), labels


def judged(vectors: np.ndarray, labels: np.ndarray, scores: np.ndarray, interval: str) -> dict[str, tuple]:
    """Of one data set each number with the ends of its interval: those of the curve at the scores, and the table's."""
    curve = error_curve(vectors, labels, interval=interval)
    found = {}
    for score, far in zip(scores, (0.1, 0.01), strict=True):
        for rate in ("far", "tar"):
            columns = (curve.rates(score, column)[0] for column in (rate, f"{rate}_low", f"{rate}_high"))
            found[f"calibration: {rate} at the threshold of {far:g}"] = tuple(columns)
    figures = verification_all_pairs(vectors, labels, interval=interval)
    for name in ("tar@far=1e-1", "tar@far=1e-2", "eer"):
        if name in figures:
            figure = figures[name]
            found[f"table: {name}"] = (figure.value, figure.low, figure.high)
    return found


def pictures(runs: int, quick: bool, judge: Callable[..., dict[str, tuple]] = judged) -> None:
    print("\n" + HEADER.format("data | number").replace("|---|", "|---|---|", 1))
    for classes, mean in ((15, 5), (50, 2)) if quick else ((15, 5), (15, 20), (50, 2), (50, 10), (200, 4)):
        for equal in (True, False):
            sizes = class_sizes(classes, mean, equal=equal)
            sets = [draw_vectors(sizes, 0.8, run) for run in range(runs)]
            scores = _thresholds(sets[: max(runs // 5, 2)])
            found = {interval: [judge(*one, scores, interval) for one in sets] for interval in INTERVALS}
            for name in found["rate"][0]:
                values = {key: np.array([one[name] for one in several]).T for key, several in found.items()}
                rates = values["rate"][0]
                ends = {key: (some[1], some[2]) for key, some in values.items()}
                row = Draws(float(rates.mean()), rates, ends).row(name)
                print(f"| {classes} of {mean}{'' if equal else ', unequal'} {row}", flush=True)


def _thresholds(sets: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The scores that a tenth and a hundredth of different comparisons reach, over all sets."""
    found = []
    for vectors, labels in sets:
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        found.append(np.quantile((unit @ unit.T)[labels[:, None] != labels], [0.9, 0.99]))
    return np.mean(found, axis=0)


def cimat(runs: int, quick: bool) -> None:
    """Ours and theirs on the same accepted comparisons, at a fixed threshold."""
    header = "classes | pictures each | classes | rate | ours: holds | width | cimat: holds | width"
    print(f"\n| {header} |\n{'|---' * 8}|")
    for name, sizes, kind in designs(quick=True):
        if sizes.sum() > 600 or kind is KINDS["differ"]:
            continue
        for far in supported(sizes)[:2]:
            ours = draw_far(sizes, kind, far, runs)
            with np.errstate(divide="ignore"):
                theirs = _draw_cimat(sizes, kind, far, runs)
            best = np.diff(np.quantile(ours.rates, [0.025, 0.975]))[0]
            shown = []
            for low, high in (ours.ends["rate"], theirs):
                held = np.mean((low <= ours.truth) & (ours.truth <= high))
                shown += [f"{100 * held:.1f}", f"{np.mean(high - low) / best:.2f}"]
            print(f"| {name} | far {far:g} | {' | '.join(shown)} |", flush=True)


def _draw_cimat(sizes: np.ndarray, kind: Kind, far: float, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """The intervals of cimat from the comparisons that `draw_far` draws."""
    from cimat.uncertainty_estimator import UncertaintyEstimator

    one, two, compared = _pairs_of_classes(sizes)
    ends = []
    for accepted in _accepted(sizes, kind, far, runs):
        # It takes lists of scores by class and class, each pair of classes both ways, and needs same ones as well.
        scores: dict[int, dict[int, list[int]]] = {name: {name: [1, 0]} for name in range(len(sizes))}
        for a, b, n, k in zip(one.tolist(), two.tolist(), compared.tolist(), accepted.tolist(), strict=True):
            scores[a][b] = scores[b][a] = [1] * k + [0] * (n - k)
        ends.append(UncertaintyEstimator(scores).get_binerror_ci(threshold=0.5)[1])
    return tuple(np.array(ends).T)


PARTS = {"counts": counts, "pictures": pictures, "cimat": cimat}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all but cimat")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    for part in options.parts or ["counts", "pictures"]:
        PARTS[part](options.runs // 10 if options.quick else options.runs, options.quick)
