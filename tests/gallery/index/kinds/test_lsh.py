import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.gallery.index import build
from nearkin.gallery.index.kinds.lsh import LshIndex

VECTORS = unit(np.random.default_rng(0).standard_normal((600, 24), dtype=np.float32))


@pytest.fixture(scope="module")
def index():
    return build(VECTORS, "lsh", recall=0.9)


def test_a_bit_tells_the_side_of_a_plane(index):
    planes = index._encoding
    (shown,) = index.hashes(VECTORS[:1])
    sides = [(VECTORS[0] - planes.center) @ planes.normals[:, bit] > 0 for bit in range(len(shown))]
    assert shown == "".join("1" if side else "0" for side in sides)


def angle(a, b):
    return np.arccos(np.clip(unit(a) @ unit(b), -1, 1))


def share_of_bits(index, a, b):
    one, other = index.hashes(np.stack([a, b]))
    return sum(x != y for x, y in zip(one, other, strict=True)) / len(one)


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_bits_differ_as_the_angle_seen_from_the_mean(shift):
    """Charikar's law: a share angle / pi of the bits; 4096 bits tell it to about 0.008."""
    generator = np.random.default_rng(1)
    both = np.concatenate([VECTORS, -VECTORS])
    both[:, 0] += shift  # the mean
    both = unit(both)
    index = LshIndex.empty(both, "cosine", 4096, seed=3)
    mean = both.mean(axis=0)
    pairs = [(both[a], both[b]) for a, b in generator.integers(0, len(both), (50, 2))]
    for x, y in pairs:
        assert share_of_bits(index, x, y) == pytest.approx(angle(x - mean, y - mean) / np.pi, abs=0.035)
    # Seen from the origin the angle is another one, and in a narrow cone a far smaller one.
    wrong = np.mean([abs(share_of_bits(index, x, y) - angle(x, y) / np.pi) for x, y in pairs])
    assert (wrong > 0.05) == (shift > 0)


def test_buckets_hold_every_row_once_under_its_prefix(index):
    buckets = index.buckets(4)
    assert np.array_equal(np.sort(np.concatenate(list(buckets.values()))), np.arange(600))
    sizes = [len(rows) for rows in buckets.values()]
    assert sizes == sorted(sizes, reverse=True)
    hashes = index.hashes(VECTORS)
    assert all(hashes[row].startswith(prefix) for prefix, rows in buckets.items() for row in rows)
