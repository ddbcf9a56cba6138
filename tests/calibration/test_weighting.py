import pytest

from nearkin.calibration.weighting import check_weighting, comparisons_needed, described, least_far
from nearkin.errors import UnknownName


def test_weightings_have_names():
    assert [check_weighting(one) for one in ("comparisons", "classes")] == ["comparisons", "classes"]
    with pytest.raises(UnknownName, match="classes, comparisons"):
        check_weighting("pictures")
    assert described("classes").startswith("Error rates weight classes equally")


def test_ten_false_accepts_are_needed():
    assert [least_far(comparisons) for comparisons in (0, 1, 2, 10_000)] == [10, 10, 5, 0.001]
    assert [comparisons_needed(far) for far in (1.0, 0.1, 0.03, 1e-3, 1e-6)] == [10, 100, 334, 10_000, 10_000_000]
