import numpy as np
import pytest

from nearkin.arrays import unit
from nearkin.gallery.index import LshIndex, build

VECTORS = unit(np.random.default_rng(0).standard_normal((600, 24), dtype=np.float32))


@pytest.fixture(scope="module")
def index():
    return build(VECTORS, "lsh", recall=0.9)


def test_a_bit_tells_the_side_of_a_plane(index):
    planes = index._encoding
    (shown,) = index.hashes(VECTORS[:1])
    sides = [(VECTORS[0] - planes.center) @ planes.normals[:, bit] > 0 for bit in range(len(shown))]
    assert shown == "".join("1" if side else "0" for side in sides)


def test_bits_differ_as_the_angle_does():
    """Charikar's law: a share angle / pi of the bits; 256 bits tell it to about 0.03."""
    generator = np.random.default_rng(1)
    both = np.concatenate([VECTORS, -VECTORS])  # its middle is the origin
    index = LshIndex.empty(both, "cosine", 256, seed=3)
    for a, b in generator.integers(0, 600, (50, 2)):
        angle = np.arccos(np.clip(VECTORS[a] @ VECTORS[b], -1, 1))
        one, other = index.hashes(VECTORS[[a, b]])
        assert sum(x != y for x, y in zip(one, other, strict=True)) / 256 == pytest.approx(angle / np.pi, abs=0.13)


def test_buckets_hold_every_row_once_under_its_prefix(index):
    buckets = index.buckets(4)
    assert np.array_equal(np.sort(np.concatenate(list(buckets.values()))), np.arange(600))
    sizes = [len(rows) for rows in buckets.values()]
    assert sizes == sorted(sizes, reverse=True)
    hashes = index.hashes(VECTORS)
    assert all(hashes[row].startswith(prefix) for prefix, rows in buckets.items() for row in rows)
