"""Settings: one budget, layers that win over each other, files of earlier versions, and messages."""

from pathlib import Path

import pytest

from nearkin.errors import ArtefactError, InvalidInput, UnknownName
from nearkin.training.settings import TrainSettings, overridden, read_settings


def test_minutes_replace_epochs_and_are_written_so(tmp_path: Path) -> None:
    settings = TrainSettings.checked(minutes=2)
    assert (settings.epochs, settings.minutes, settings.budget) == (None, 2, "2 minutes")
    settings.write(tmp_path / "settings.yaml")
    assert TrainSettings.checked(**read_settings(tmp_path / "settings.yaml")) == settings
    assert TrainSettings.checked(epochs=1).budget == "1 epoch"


def test_a_file_of_0_1_0_has_epochs_beside_its_minutes(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("epochs: 20\nminutes: 3.5\ncaption_loss: info_nce\n")
    settings = TrainSettings.checked(**read_settings(path))
    assert (settings.epochs, settings.minutes, settings.caption_loss) == (None, 3.5, "info-nce")


def test_later_layers_win() -> None:
    assert overridden({"minutes": 3, "dim": 8}, {"epochs": 2}, {"dim": 4}) == {"epochs": 2, "dim": 4}
    assert overridden({"epochs": 3}, {"epochs": None, "minutes": 2}) == {"epochs": None, "minutes": 2}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 3, "minutes": 1}, InvalidInput, "epochs and minutes are both given: choose one"),
        ({"epochs": None}, InvalidInput, "neither epochs nor minutes are given"),
        ({"epochs": -1}, InvalidInput, "setting epochs is -1: input should be greater than or equal to 0"),
        ({"device": "gpu"}, InvalidInput, "setting device is 'gpu': input should be 'auto', 'cpu' or 'cuda'"),
        ({"batch_sise": 8}, UnknownName, "unknown setting 'batch_sise': did you mean batch_size"),
        ({"per_class": 9, "batch_size": 8}, InvalidInput, "per_class is 9, more than batch_size, 8"),
    ],
)
def test_refusals(options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        TrainSettings.checked(**options)


@pytest.mark.parametrize("content", ["- a\n- b\n", "{", "just words"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(content)
    with pytest.raises(ArtefactError, match=r"settings file '.*settings.yaml'"):
        read_settings(path)
