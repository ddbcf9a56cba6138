"""How much a false accept rate varies, told by the classes' factors where there are few classes."""

import math

import numpy as np
import pytest

from nearkin.intervals.dyadic import ClassSums, rate_limits, spread_over_classes
from nearkin.intervals.pair_rates import spread_of_pair_rates

UNEQUAL = np.array([2, 2, 3, 4, 4, 5, 6, 7, 8, 10, 11, 14, 18, 25, 40])


def draws(sizes, far, of_class, runs, *, of_pair=0.0):
    """Of each draw of accepted comparisons the rate, classes' errors, pairs' squares and pairs that show any."""
    generator = np.random.default_rng(0)
    one, two = np.triu_indices(len(sizes), 1)
    compared = sizes[one] * sizes[two]
    rates, errors, pairs, cells = np.empty(runs), np.empty((len(sizes), runs)), np.empty(runs), np.empty(runs)
    for run in range(runs):
        factors = np.exp(of_class * generator.normal(size=len(sizes)) - of_class**2 / 2)
        chances = far * factors[one] * factors[two]
        if of_pair:
            chances *= np.exp(of_pair * generator.normal(size=len(one)) - of_pair**2 / 2)
        accepted = generator.binomial(compared, np.minimum(chances, 1))
        rates[run] = accepted.sum() / compared.sum()
        parts = (accepted - rates[run] * compared) / compared.sum()
        errors[:, run] = np.bincount(one, parts, len(sizes)) + np.bincount(two, parts, len(sizes))
        pairs[run], cells[run] = parts @ parts, np.count_nonzero(accepted)
    return rates, errors, pairs, np.maximum(cells, 1.0)


def robust(sizes, errors, pairs, cells):
    between = sizes * (sizes.sum() - sizes)
    return spread_over_classes([ClassSums(errors, 2 * between / between.sum())], pairs, cells=cells)


def held(rates, spread, far):
    low, high = rate_limits(rates, spread, independent=105)
    return np.mean((low <= far) & (far <= high)), np.mean(high - low)


def test_few_unequal_classes_that_differ_are_held_more_often_by_intervals_no_wider():
    rates, errors, pairs, cells = draws(UNEQUAL, 0.1, 0.3, 1500, of_pair=0.5)
    spread = spread_of_pair_rates(rates, errors, pairs, weights=UNEQUAL, pictures=UNEQUAL, cells=cells)
    before, wide = held(rates, robust(UNEQUAL, errors, pairs, cells), 0.1)
    after, now = held(rates, spread, 0.1)
    assert after > before + 0.015
    assert 0.92 < after < 0.97
    assert now < wide * 1.02


def test_factors_are_found_whatever_the_weights_are_scaled_by():
    rates, errors, pairs, cells = draws(UNEQUAL, 0.05, 0.5, 3)
    one, other = (
        spread_of_pair_rates(rates, errors, pairs, weights=UNEQUAL * scale, pictures=UNEQUAL, cells=cells)
        for scale in (1.0, 0.01)
    )
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9)


def test_rejected_comparisons_vary_as_accepted_ones_do():
    rates, errors, pairs, cells = draws(UNEQUAL, 0.05, 0.5, 3)
    one = spread_of_pair_rates(rates, errors, pairs, weights=UNEQUAL, pictures=UNEQUAL, cells=cells)
    other = spread_of_pair_rates(1 - rates, -errors, pairs, weights=UNEQUAL, pictures=UNEQUAL, cells=cells)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9)


def test_the_spread_is_that_of_many_draws():
    rates, errors, pairs, cells = draws(np.full(40, 5), 0.05, 0.4, 400)
    spread = spread_of_pair_rates(rates, errors, pairs, weights=np.full(40, 5), pictures=np.full(40, 5), cells=cells)
    assert np.mean(spread.variance) == pytest.approx(rates.var(), rel=0.15)
    # Two classes a comparison, and a squared coefficient of variation of exp(0.4^2) - 1.
    assert np.median(spread.of_one / rates**2) == pytest.approx(np.expm1(0.16), rel=0.2)


@pytest.mark.parametrize("sizes", [np.full(15, 10), UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_rate_of_none_or_all_has_a_finite_spread(sizes, rate):
    spread = spread_of_pair_rates(
        np.array([rate]), np.zeros((15, 1)), np.zeros(1), weights=sizes, pictures=sizes, cells=np.ones(1)
    )
    assert all(np.isfinite(column).all() for column in spread)


def test_many_classes_tell_the_variance_by_themselves():
    sizes = np.full(101, 3)
    rates, errors, pairs, cells = draws(sizes, 0.05, 0.5, 2)
    spread = spread_of_pair_rates(rates, errors, pairs, weights=sizes, pictures=sizes, cells=cells)
    for left, right in zip(spread, robust(sizes, errors, pairs, cells), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12)


def slow_spread(
    rate: float, errors: list[float], pairs: float, weights: list[float], pictures: list[float], cells: float
) -> dict[str, float]:
    """One figure by the formulas of the docstring, number by number."""
    classes, total = range(len(weights)), sum(weights)
    whole = sum(weights[a] * weights[b] for a in classes for b in classes if a < b)
    others = [total - one for one in weights]
    leverage = [weights[a] * others[a] / whole for a in classes]
    robust = spread_over_classes(
        [ClassSums(np.array(errors)[:, None], np.array(leverage))], np.array([pairs]), cells=np.array([cells])
    )
    variance, of_classes, known = (float(one[0]) for one in (robust.variance, robust.of_classes, robust.freedom))
    rare, single = max(min(rate, 1 - rate), 1e-12), max(rate * (1 - rate), 1e-12)
    # A comparison of two pictures weighs s_a s_b / (n_a n_b), and there are n_a n_b of them.
    between = [(a, b) for a in classes for b in classes if a < b]
    coins = single * sum((weights[a] * weights[b]) ** 2 / pictures[a] / pictures[b] for a, b in between) / whole**2
    rest = max(variance * (1 - of_classes), coins)
    of_pair = (rest - coins) * whole**2 / sum((weights[a] * weights[b]) ** 2 for a, b in between)
    hits, counts, shares = [], [], []
    for a in classes:
        scatter = sum(
            of_pair * weights[b] ** 2 + single * weights[b] ** 2 / pictures[b] / pictures[a] for b in classes if b != a
        )
        counts.append((max(others[a], 0.05 * total) * rare) ** 2 / scatter)
        shares.append(max(1 + (-1 if rate > 0.5 else 1) * errors[a] / (leverage[a] * rare), 0.0))
    factors = list(shares)
    for _ in range(2):
        sums = [sum(weights[b] * factors[b] for b in classes if b != a) for a in classes]
        factors = [shares[a] * others[a] / max(sums[a], 0.05 * total) for a in classes]
        mean = sum(weights[a] * factors[a] for a in classes) / total
        factors = [one / max(mean, 1e-12 / total) for one in factors]
    hits = [factor * count for factor, count in zip(factors, counts, strict=True)]
    shown = sum(one**2 for one in leverage)
    varied, logs = [], []
    for odds in [-6 + 0.5 * step for step in range(29)]:
        each = min(rest / rare**2 / shown * math.exp(odds), 9.0)
        log = 0.0
        for hit, count in zip(hits, counts, strict=True):
            # Negative binomial with mean `count` and shape 1 / each, without what hangs on the hit alone.
            shape = 1 / each
            log += math.lgamma(hit + shape) - math.lgamma(shape) + shape * math.log(shape)
            log -= (hit + shape) * math.log(shape + count)
        log -= 0.5 * math.log(sum(count / (1 + each * count) for count in counts))
        varied.append(each)
        logs.append(log)
    chance = [math.exp(log - max(logs)) for log in logs]
    of_class = sum(c * v for c, v in zip(chance, varied, strict=True)) / sum(chance)
    square = sum(c * v**2 for c, v in zip(chance, varied, strict=True)) / sum(chance)
    mean = shown * of_class + rest / rare**2
    freedom = 4 + 2 / max(shown**2 * (square - of_class**2) / mean**2, 1e-9)
    scale = (freedom - 2) / freedom
    told = known / (known + freedom)
    first, second = told * variance, (1 - told) * mean * scale * rare**2
    return {
        "variance": first + second,
        "freedom": freedom,
        "of_classes": (first * of_classes + second * shown * of_class / mean) / (first + second),
        "of_one": of_class * scale * rare**2,
    }


@pytest.mark.parametrize("rate", [0.002, 0.1, 0.5, 0.8])
@pytest.mark.parametrize("classes", [3, 15, 40])
def test_the_slow_twin(rate: float, classes: int) -> None:
    generator = np.random.default_rng(classes)
    pictures = generator.integers(2, 12, classes).astype(float)
    weights = pictures.copy()
    weights[0] *= 400 if classes == 3 else 9  # a class of most of the weight
    errors = generator.normal(size=(classes, 2)) * rate * (1 - rate) / classes * [0.5, 3.0]
    errors -= errors.mean(axis=0)
    pairs = np.array([1e-9, 2e-4]) * rate
    cells = np.full(2, classes * (classes - 1) / 2)
    spread = spread_of_pair_rates(np.full(2, rate), errors, pairs, weights=weights, pictures=pictures, cells=cells)
    for figure in range(2):
        expected = slow_spread(
            rate, errors[:, figure].tolist(), pairs[figure], weights.tolist(), pictures.tolist(), cells[figure]
        )
        found = {name: np.broadcast_to(getattr(spread, name), 2)[figure] for name in expected}
        assert found == pytest.approx(expected, rel=1e-8)
    assert spread.effective == classes
