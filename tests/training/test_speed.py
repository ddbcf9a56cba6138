"""Threads and precision are those of the shortest timed steps, and are kept with the run."""

from pathlib import Path

import pytest
import torch

from nearkin.data.sources import read_items
from nearkin.training.prepare import prepare
from nearkin.training.settings import TrainSettings, read_settings
from nearkin.training.speed import fastest, timed_settings
from nearkin.training.train import train

from .small import SMALL

PRECISIONS = ["float32", "bfloat16"]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({(4, "float32"): 1.0, (2, "float32"): 0.9, (1, "float32"): 2.0, (4, "bfloat16"): 1.6}, (4, "float32")),
        ({(4, "float32"): 1.0, (2, "float32"): 0.7, (1, "float32"): 2.0, (2, "bfloat16"): 0.5}, (2, "bfloat16")),
        ({(4, "float32"): 1.0, (2, "float32"): 0.7, (1, "float32"): 0.5, (1, "bfloat16"): 0.49}, (1, "float32")),
    ],
)
def test_what_is_clearly_faster_is_chosen(times: dict[tuple[int, str], float], expected: tuple[int, str]) -> None:
    assert fastest(lambda *how: times[how], [4, 2, 1], PRECISIONS, seconds=60.0) == expected


def test_a_single_way_is_not_timed() -> None:
    def refuse(threads: int, precision: str) -> float:
        raise AssertionError("timed")

    assert fastest(refuse, [1], ["float32"]) == (1, "float32")


def test_without_time_the_first_way_stays() -> None:
    asked = []
    assert fastest(lambda *how: asked.append(how) or 1.0, [4, 2], PRECISIONS, seconds=0.0) == (4, "float32")
    assert set(asked) == {(4, "float32")}


def test_the_encoder_the_threads_and_the_random_numbers_stay(shapes: Path) -> None:
    options = {name: value for name, value in SMALL.items() if name not in ("threads", "precision")}
    run = prepare(read_items(shapes / "tree"), TrainSettings.checked(**options, size=32, device="cpu"))
    before = {name: tensor.clone() for name, tensor in run.encoder.state_dict().items()}
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    found = timed_settings(run.encoder, run.train, TrainSettings.checked(**options, device="cpu"))
    assert (torch.get_num_threads(), found.precision in PRECISIONS) == (threads, True)
    assert 1 <= (found.threads or 0) <= threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.encoder.state_dict().items())


def test_the_run_says_what_was_chosen_and_resumes_with_it(shapes: Path, tmp_path: Path) -> None:
    options = {name: value for name, value in SMALL.items() if name not in ("threads", "precision")}
    train(shapes / "tree", out=tmp_path / "run", epochs=1, **options)
    chosen = read_settings(tmp_path / "run" / "settings.yaml")
    assert chosen["precision"] in PRECISIONS
    assert chosen["threads"] is not None or torch.cuda.is_available()
    train(out=tmp_path / "run", resume=True, epochs=2)
    again = read_settings(tmp_path / "run" / "settings.yaml")
    assert (again["precision"], again["threads"]) == (chosen["precision"], chosen["threads"])


def test_what_is_given_stays(shapes: Path) -> None:
    settings = TrainSettings.checked(**SMALL, size=32, device="cpu")
    run = prepare(read_items(shapes / "tree"), settings)
    assert timed_settings(run.encoder, run.train, settings) is settings
    found = timed_settings(
        run.encoder, run.train, settings.model_copy(update={"precision": "bfloat16", "threads": None})
    )
    assert found.precision == "bfloat16"
