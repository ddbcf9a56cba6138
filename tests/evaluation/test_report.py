import json

import pytest

from nearkin.data.items import Broken
from nearkin.errors import ArtefactError
from nearkin.evaluation.report import Report
from nearkin.intervals.figure import Figure


@pytest.fixture
def report():
    return Report(
        "conv4-12 on photos",
        {
            "retrieval": {"recall@1": Figure(0.73125, 0.7, 0.76, 1600), "map@r": Figure(0.5, None, None, 1600)},
            "cross_modal": {"text_to_image/median_rank": Figure(12.5, 10.0, 14.0, 300)},
        },
        baselines={"raw pixels": {"retrieval": {"recall@1": Figure(0.25, 0.2, 0.3, 1600)}}, "chance": {}},
        counts={"pictures": 1600, "queries_without_match": 0},
        skipped=(Broken("/a.jpg", "empty file"),),
        notes=("Split: test.",),
    )


def test_table_shows_shares_in_per_cent_and_ranks_as_they_are(report):
    assert report.columns == ["metric", "value [95 % interval]", "raw pixels", "chance"]
    assert report.table() == [
        ["recall@1", "73.1 % [70.0, 76.0]", "25.0 % [20.0, 30.0]", "-"],
        ["map@r", "50.0 %", "-", "-"],
        ["text_to_image/median_rank", "12.5 [10, 14]", "-", "-"],
    ]


def test_markdown_holds_table_counts_and_notes(report):
    assert report.to_markdown().split("\n") == [
        "conv4-12 on photos",
        "",
        "| metric | value [95 % interval] | raw pixels | chance |",
        "|---|---|---|---|",
        "| recall@1 | 73.1 % [70.0, 76.0] | 25.0 % [20.0, 30.0] | - |",
        "| map@r | 50.0 % | - | - |",
        "| text_to_image/median_rank | 12.5 [10, 14] | - | - |",
        "",
        "pictures: 1,600, queries without match: 0",
        "",
        "Split: test.",
    ]


def test_json_round_trip(report, tmp_path):
    values = json.loads(json.dumps(report.to_dict()))
    assert values["figures"]["retrieval"]["recall@1"] == {"value": 0.73125, "interval": [0.7, 0.76], "n": 1600}
    assert values["figures"]["retrieval"]["map@r"]["interval"] is None
    assert Report.from_dict(values) == report
    report.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report


def test_json_is_rounded():
    report = Report("x", {"retrieval": {"recall@1": Figure(1 / 3, 0.1 / 3, 2 / 3, 3)}})
    assert report.to_dict()["figures"]["retrieval"]["recall@1"]["interval"] == [0.033333, 0.666667]


@pytest.mark.parametrize("content", ["", "[]", '{"title": "x"}'])
def test_a_file_that_is_no_report_is_named(tmp_path, content):
    path = tmp_path / "report.json"
    with pytest.raises(ArtefactError, match="No such file"):
        Report.read(path)
    path.write_text(content)
    with pytest.raises(ArtefactError, match=r"report\.json holds no report"):
        Report.read(path)
