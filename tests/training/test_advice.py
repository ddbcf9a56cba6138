"""What a run's summary says of a training that has not learnt."""

import pytest

from nearkin.evaluation.report import Report
from nearkin.intervals.bootstrap import Figure
from nearkin.training.advice import advice
from nearkin.training.settings import TrainSettings


def said(losses: list[float], recalls: list[float], raw: float, **settings: object) -> list[str]:
    rows = [
        {"epoch": f"{epoch}", "loss": f"{loss}", "recall@1": f"{recall}"}
        for epoch, (loss, recall) in enumerate(zip(losses, recalls, strict=True), 1)
    ]

    def figures(value: float) -> dict:
        return {"retrieval": {"recall@1": Figure(value, None, None, 9)}}

    report = Report("x", figures(max(recalls)), baselines={"raw pixels": figures(raw)})
    return advice(rows, report, TrainSettings.checked(**settings))


@pytest.mark.parametrize(
    ("losses", "recalls", "expected"),
    [
        ([0.2, 0.2, 0.199], [0.4, 0.5, 0.45], ["hardly moved", "--loss multi-similarity", "--learning-rate"]),
        ([0.2, 0.15, 0.1], [0.3, 0.4, 0.5], ["--epochs 9", "--weights pretrained"]),
        ([0.2, 0.15, 0.1], [0.3, 0.5, 0.4], ["--weights pretrained", "--loss multi-similarity"]),
    ],
)
def test_below_raw_pixels(losses: list[float], recalls: list[float], expected: list[str]) -> None:
    [note] = said(losses, recalls, raw=0.531)
    assert note.startswith("Not better than raw pixels, 50.0 % against 53.1 %")
    assert all(words in note for words in expected)


def test_above_raw_pixels() -> None:
    assert said([0.2, 0.1, 0.1], [0.5, 0.9, 0.8], raw=0.5) == []
    assert "--resume --epochs 9" in said([0.2, 0.1, 0.1], [0.5, 0.8, 0.9], raw=0.5)[0]


def test_equal_at_the_top_is_no_fault_of_the_model() -> None:
    assert said([0.2], [1.0], raw=1.0)[0].startswith("The model and raw pixels both find every picture")
