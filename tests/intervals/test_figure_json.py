import json

import pytest

from nearkin.intervals.figure import Figure
from nearkin.intervals.figure_json import figure_from_dict, figure_to_dict


@pytest.mark.parametrize("figure", [Figure(0.25, 0.1, 0.5, 9), Figure(12.5, None, None, 1), Figure(-0.1, -0.2, 0.0, 3)])
def test_round_trip(figure):
    assert figure_from_dict(json.loads(json.dumps(figure_to_dict(figure)))) == figure


def test_rounded():
    assert figure_to_dict(Figure(1 / 3, 0.1 / 3, 2 / 3, 3))["interval"] == [0.033333, 0.666667]
