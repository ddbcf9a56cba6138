import pytest

from nearkin.errors import UnknownName
from nearkin.intervals import figure


def test_levels_of_a_95_percent_interval():
    assert (0.95, pytest.approx(0.025)) == (figure.LEVEL, figure.TAIL)
    assert pytest.approx(1.959963984540054) == figure.Z


def test_intervals_have_names():
    assert [figure.check_interval(one) for one in figure.INTERVALS] == ["rate", "another group"]
    with pytest.raises(UnknownName, match="another group, rate"):
        figure.check_interval("rates")
