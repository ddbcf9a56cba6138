"""One source of options: each setting is an option of `train` and `compare`, with its default in the help."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from nearkin.cli.app import app
from nearkin.cli.setting_options import option_of, takes_settings
from nearkin.encoders.backbones import BACKBONES
from nearkin.encoders.texts import TEXT_TOWERS
from nearkin.losses import CAPTION_LOSSES
from nearkin.tasks.compare.decided import DECIDED, OF_CAPTIONS
from nearkin.training.augmentation import AUGMENTATIONS
from nearkin.training.settings import GROUPS, TrainSettings, group_of, shown_default

NOT_IN_COMPARE = {*DECIDED, *OF_CAPTIONS, "backbone", "loss_options"}


def help_of(command: str, width: int = 80, **environment: str) -> str:
    """The help as words."""
    shown = CliRunner(env={"COLUMNS": str(width), **environment}).invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    return " ".join(shown.output.split())


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["plain", "NO_COLOR", "dumb"])
@pytest.mark.parametrize("command", ["train", "compare"])
def test_every_setting_has_its_option_and_default_in_the_help(command: str, environment: dict[str, str]) -> None:
    text = help_of(command, width=300, **environment)
    for name, field in TrainSettings.model_fields.items():
        if command == "compare" and name in NOT_IN_COMPARE:
            continue
        assert f"{option_of(name)} " in text, name
        assert str(field.description) in text, name
        shown = shown_default(name)
        assert not shown or re.search(rf"\[default: \(?{re.escape(shown)}\)?\]", text), name
    for group in GROUPS:
        assert f" {group}: " in text


@pytest.mark.parametrize("command", ["train", "compare"])
def test_nothing_is_cut_off_at_80_columns(command: str) -> None:
    assert "…" not in help_of(command)


@pytest.mark.parametrize("name", TrainSettings.model_fields)
def test_a_description_is_a_sentence_that_names_the_choices(name: str) -> None:
    field = TrainSettings.model_fields[name]
    description = str(field.description)
    assert description.endswith(".")
    assert group_of(name) in GROUPS
    kinds = [field.annotation, *get_args(field.annotation)]
    for choice in (choice for kind in kinds for choice in get_args(kind) if isinstance(choice, str)):
        assert choice in description


def test_descriptions_name_what_the_registries_hold() -> None:
    fields = TrainSettings.model_fields
    for field, names in (
        ("caption_loss", CAPTION_LOSSES),
        ("augmentation", AUGMENTATIONS),
        ("backbone", BACKBONES),
        ("text_tower", TEXT_TOWERS),
    ):
        for name in names:
            assert name in str(fields[field].description)


def received(*arguments: str) -> dict[str, Any]:
    """The settings that a command is called with."""
    found: dict[str, Any] = {}
    application = typer.Typer()

    @application.command()
    @takes_settings(without=["label"])
    def command(out: str = "x", **settings: Any) -> None:
        found.update(settings)

    result = CliRunner().invoke(application, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found


def test_only_what_the_user_gave_reaches_the_command() -> None:
    assert received() == {}
    # Also where it is the default: it wins over a settings file.
    assert received("--epochs", "20", "--seed", "0", "--strict") == {"epochs": 20, "seed": 0, "strict": True}
    assert received("--no-captions", "--channels", "1") == {"captions": False, "channels": 1}


def test_repeatable_options() -> None:
    given = received("--loss-option", "margin=0.3", "--loss-option", "CircleLoss.gamma=80", "--caption-column", "en")
    assert given == {"loss_options": {"margin": 0.3, "CircleLoss.gamma": 80}, "caption_columns": ("en",)}
    assert received("--augmentation-option", "flip=false") == {"augmentation_options": {"flip": False}}


@pytest.mark.parametrize("name", TrainSettings.model_fields)
def test_every_option_is_read_as_its_setting_wants_it(name: str, tmp_path: Path) -> None:
    field = TrainSettings.model_fields[name]
    default = field.get_default(call_default_factory=True)
    example = {"size": 32, "channels": 3, "memory": 8, "chunk_size": 4, "minutes": 1.5, "patience": 2, "ema": 0.9}
    example |= {
        "loss_learning_rate": 0.1,
        "attribute_learning_rate": 0.1,
        "threads": 1,
        "batch_norm": "frozen",
        "strict": True,
        "rotate_classes": True,
        "freeze": True,
        "caption_memory": 8,
    }
    example |= {"loss": "triplet", "text_tower": "lstm"}
    value = example.get(name, default if default not in (None, {}) else "a")
    if name == "label":
        return
    if isinstance(value, bool) or name == "captions":
        given = received(option_of(name))
    elif isinstance(default, dict):
        given = received(option_of(name), "a=1")
    else:
        given = received(option_of(name), str(value))
    assert list(given) == [name]
    assert TrainSettings.checked(**given) is not None
