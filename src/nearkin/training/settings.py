"""Settings of a training run: one frozen object, the source of options, help, YAML files and the table in the docs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nearkin.encoders.starts import start_named
from nearkin.encoders.texts import TEXT_TOWERS
from nearkin.errors import ArtefactError, InvalidInput, UnknownName
from nearkin.files import write_whole
from nearkin.losses import CAPTION_LOSSES
from nearkin.losses.engine.names import weighted_names

# Groups of options, in the order of the help.
GROUPS = ("Data", "Model", "Loss", "Batches", "Schedule", "Machine")


def _setting(
    default: Any, group: str, description: str, *, none: str | None = None, with_weights: Any = None, **limits: Any
) -> Any:
    """A field of the settings.

    Args:
        default: its default; a dict or a tuple may be repeated on the command line.
        group: one of `GROUPS`.
        description: what it does; the help of its option, and its row in docs/training.md.
        none: what happens where the default is None.
        with_weights: the default where training starts from weights, if it is another.
        limits: bounds that pydantic checks, such as `ge=1`.
    """
    more: Any = {"group": group, "none": none, "with_weights": with_weights}
    if isinstance(default, dict):
        return Field(default_factory=dict, description=description, json_schema_extra=more)
    return Field(default, description=description, json_schema_extra=more, **limits)


class TrainSettings(BaseModel):
    """Everything that decides a training run, except the content of the data.

    Each field is an option of `nearkin train` (`batch_size` is `--batch-size`; `loss_options` is
    `--loss-option NAME=VALUE`), a keyword of `nearkin.train` and a key of a settings file.

    Example:
        >>> TrainSettings.checked(loss="contrastive", epochs=3).epochs
        3
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    # -- Data ----------------------------------------------------------------------------------------------------
    size: int | None = _setting(
        None,
        "Data",
        "Side of the square input picture in pixels.",
        none="from the data; with a start 1.5 times that",
        ge=8,
        le=2048,
    )
    augmentation: str = _setting(
        "photo", "Data", "Random changes to each picture: none, drawing, strokes, icon or photo."
    )
    augmentation_options: dict[str, Any] = _setting({}, "Data", "Option of the augmentation, such as rotation=20.")
    label: str | None = _setting(
        None, "Data", "Column of the class names; 'path' makes the whole folder path the class.", none="found by name"
    )
    caption_columns: tuple[str, ...] | None = _setting(
        None, "Data", "Column of captions; may be repeated.", none="found by name"
    )
    path_column: str | None = _setting(
        None, "Data", "Column of the picture paths.", none="path, file_name, file or image"
    )
    split_by: str | None = _setting(
        None, "Data", "Column whose values are never divided between training and validation, such as 'group'."
    )
    val_fraction: float = _setting(
        0.2,
        "Data",
        "Fraction of the classes (without labels: of the pictures) held out for validation; "
        "0 trains on everything and validates nothing.",
        ge=0,
        lt=1,
    )
    rotate_classes: bool = _setting(
        False, "Data", "Add each class rotated by 90, 180 and 270 degrees as a new class; for drawings and signs."
    )
    channels: Literal[1, 3] | None = _setting(None, "Data", "1 for grey, 3 for colour.", none="from the data")
    fit: Literal["squash", "crop", "pad"] = _setting(
        "squash", "Data", "How a picture becomes square: squash, crop or pad."
    )
    strict: bool = _setting(False, "Data", "Stop at the first broken picture instead of skipping it.")

    # -- Model ---------------------------------------------------------------------------------------------------
    backbone: str = _setting(
        "resnet18",
        "Model",
        "Network: conv4, resnet12, dlib-resnet, lite012, or any network of timm by name; with a start as --weights, "
        "the start's own.",
    )
    weights: str | None = _setting(
        None,
        "Model",
        "Where to start from: a start such as lite0, 'pretrained' (timm's weights), a run or model folder of nearkin, "
        "a file of weights, or none (random ones).",
        none="lite0 for photos if installed, else random",
    )
    dim: int = _setting(128, "Model", "Embedding dimension.", with_weights=512, ge=1)
    backbone_options: dict[str, Any] = _setting({}, "Model", "Option of the network, such as width=32.")
    pooling: str | None = _setting(
        None, "Model", "avg, max, gem (generalised mean) or flatten.", none="flatten for conv4, else avg"
    )
    batch_norm: Literal["trained", "frozen"] | None = _setting(
        None,
        "Model",
        "Batch norm statistics of the network: trained, or frozen at those of the weights.",
        none="frozen with --weights",
    )
    freeze: bool | None = _setting(
        None,
        "Model",
        "Leave the network as its weights are, and train what stands on it, on features computed once.",
        none="yes with --weights and captions alone",
    )
    feature_dropout: float = _setting(
        0.6, "Model", "Fraction of a frozen network's features dropped in training.", ge=0, lt=1
    )
    text_tower: str | None = _setting(
        None,
        "Model",
        "Text tower: gru, lstm, e5, or gru-e5.",
        none="e5 with weights to start from, where it is installed; else gru",
    )
    text_width: int = _setting(256, "Model", "Width of the text tower: recurrent state or hidden layer.", ge=1)
    text_dropout: float = _setting(0.1, "Model", "Fraction of the text tower's inputs dropped in training.", ge=0, lt=1)
    word_dropout: float = _setting(0.0, "Model", "Fraction of a caption's tokens dropped in training.", ge=0, lt=1)
    attribute_width: int = _setting(
        0,
        "Model",
        "Width of the hidden layer of the attribute tower; 0 for a linear map, in the end fitted in closed form.",
        ge=0,
    )
    vocabulary: int = _setting(8000, "Model", "Maximum vocabulary size of the tokenizer.", ge=2)

    # -- Loss ----------------------------------------------------------------------------------------------------
    loss: str | None = _setting(
        None,
        "Loss",
        "Loss on labels: a name such as triplet, contrastive or arcface, a sum such as arcface+0.01*center, "
        "or an import path.",
        none="triplet; normalised-softmax with weights",
    )
    loss_options: dict[str, Any] = _setting({}, "Loss", "Option of the loss, such as margin=0.2.")
    captions: bool | None = _setting(
        None, "Loss", "Train a text tower on the captions.", none="only if there are no labels"
    )
    caption_loss: str = _setting("info-nce", "Loss", "Loss on captions: info-nce, siglip or vse.")
    caption_loss_options: dict[str, Any] = _setting({}, "Loss", "Option of the caption loss, such as margin=0.2.")
    caption_weight: float = _setting(1.0, "Loss", "Weight of the caption loss relative to the loss on labels.", gt=0)
    loss_learning_rate: float | None = _setting(
        None, "Loss", "Peak learning rate of the loss's own weights.", none="chosen by the loss", gt=0
    )
    memory: int | None = _setting(
        None,
        "Loss",
        "Also compare each batch with this many embeddings of earlier batches, such as 8192.",
        none="no memory",
        ge=1,
    )
    memory_weight: float = _setting(1.0, "Loss", "Weight of the loss over the memory.", gt=0)

    attributes: str | None = _setting(
        None, "Loss", "Table with a row per class (label, and columns of attributes): train an attribute tower by it."
    )
    attribute_columns: tuple[str, ...] | None = _setting(
        None, "Loss", "Column of the attributes; may be repeated.", none="all but the class"
    )
    captions_per_picture: int = _setting(
        1, "Loss", "Captions of a picture in a batch, such as translations; all are right for it.", ge=1
    )
    same_label: bool = _setting(
        False, "Loss", "Pictures of one class belong to each other's captions, where labels and captions are trained."
    )
    caption_memory: int | None = _setting(
        None, "Loss", "Earlier pairs that the caption loss compares a batch with as well.", none="no memory", ge=1
    )
    attribute_loss: str = _setting("info-nce", "Loss", "Loss on attributes: info-nce, siglip or vse.")
    attribute_learning_rate: float | None = _setting(
        None, "Loss", "Peak learning rate of the attribute tower.", none="that of the encoder", gt=0
    )
    attribute_weight: float = _setting(1.0, "Loss", "Weight of the loss on attributes.", gt=0)

    # -- Batches -------------------------------------------------------------------------------------------------
    batch_size: int = _setting(
        128,
        "Batches",
        "Pictures in a batch; fewer where the network of a start is trained by labels and no loss is named.",
        with_weights=32,
        ge=2,
    )
    per_class: int = _setting(4, "Batches", "Pictures of each class in a batch.", ge=1)
    sampler: Literal["random", "hard"] = _setting(
        "random", "Batches", "How the classes of a batch are chosen: random, or hard (classes that are confused)."
    )
    batch_by: str | None = _setting(None, "Batches", "Column that has a single value in each batch, such as 'group'.")
    chunk_size: int | None = _setting(
        None,
        "Batches",
        "Embed this many pictures at a time, for batches that do not fit in memory.",
        none="the whole batch",
        ge=1,
    )

    # -- Schedule ------------------------------------------------------------------------------------------------
    epochs: int | None = _setting(
        20,
        "Schedule",
        "Passes over the training pictures; 0, with weights, fits the projection only.",
        with_weights=2,
        ge=0,
    )
    minutes: float | None = _setting(
        None,
        "Schedule",
        "Train for this long instead of a number of epochs. This is wall-clock time: a busy machine trains less.",
        none="train by epochs",
        gt=0,
    )
    learning_rate: float = _setting(1e-3, "Schedule", "Peak learning rate.", with_weights=1e-4, gt=0)
    layer_rate: float = _setting(
        1.0,
        "Schedule",
        "Learning rate of each stage of the network, as a multiple of that of the stage above it.",
        with_weights=0.7,
        gt=0,
        le=1,
    )
    projection_first: bool = _setting(
        False,
        "Schedule",
        "Before the network is trained, fit the projection to its features in closed form.",
        with_weights=True,
    )
    interpolate: bool = _setting(
        False,
        "Schedule",
        "Judge the start, and networks between the start and the best epoch, as the epochs; keep the best of all.",
        with_weights=True,
    )
    validate_every: int = _setting(
        1, "Schedule", "Epochs between validations; the first and the last epoch are always validated.", ge=1
    )
    patience: int | None = _setting(
        None, "Schedule", "Stop after this many validations without improvement.", none="never stop early", ge=1
    )
    ema: float | None = _setting(
        None,
        "Schedule",
        "Decay of a moving average of the weights, such as 0.999; the average is then validated and saved.",
        none="no average",
        gt=0,
        lt=1,
    )
    warmup: float = _setting(0.05, "Schedule", "Fraction of the training in which the learning rate rises.", ge=0, lt=1)
    weight_decay: float = _setting(1e-2, "Schedule", "Weight decay of AdamW, on matrices and convolutions.", ge=0)

    # -- Machine -------------------------------------------------------------------------------------------------
    threads: int | None = _setting(
        None, "Machine", "CPU threads.", none="whichever is fastest here: 1, 2 or all cores", ge=1
    )
    device: Literal["auto", "cpu", "cuda"] = _setting("auto", "Machine", "Where to train: auto, cpu or cuda.")
    precision: Literal["auto", "float32", "bfloat16"] = _setting(
        "auto", "Machine", "float32, bfloat16, or auto: whichever is faster here."
    )
    seed: int = _setting(0, "Machine", "Random seed of weights, split, batches and augmentation.", ge=0, lt=2**32)

    @field_validator("caption_loss", "attribute_loss", "text_tower")
    @classmethod
    def _as_named(cls, name: str | None) -> str | None:
        return None if name is None else name.replace("_", "-")

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise InvalidInput(_sentence(where, fault["msg"], fault["input"])) from error

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_is_true(cls, value: Any, info: Any) -> Any:
        kind = cls.model_fields[info.field_name].annotation
        if isinstance(value, bool) and kind in (int, float, int | None, float | None):
            raise ValueError("expected a number")
        return value

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, given: Any) -> Any:
        """Runs of versions before this one name the text tower by its recurrent cell."""
        if not isinstance(given, Mapping) or "text_cell" not in given:
            return given
        return {"text_tower": given["text_cell"], **{name: one for name, one in given.items() if name != "text_cell"}}

    @model_validator(mode="before")
    @classmethod
    def _by_minutes(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("minutes") is None:
            return given
        if given.get("epochs") is not None:
            raise ValueError("epochs and minutes are both given: choose one")
        return {**given, "epochs": None}

    @model_validator(mode="after")
    def _fits(self) -> "TrainSettings":
        if self.per_class > self.batch_size:
            raise ValueError(f"per_class is {self.per_class}, more than batch_size, {self.batch_size}")
        if self.patience is not None and not self.val_fraction:
            raise ValueError("patience counts validations, and val_fraction 0 has none: leave one of them out")
        if self.epochs is None and self.minutes is None:
            raise ValueError("neither epochs nor minutes are given: say how long to train")
        return self

    @staticmethod
    def checked(**options: Any) -> "TrainSettings":
        """Settings from keywords. A start as `weights` names the backbone, where that is left out.

        Raises:
            UnknownName: no such setting or loss; the message suggests near names.
            InvalidInput: a value is out of range or of another type, or both epochs and minutes are given.
        """
        for name in options:
            if name not in (*TrainSettings.model_fields, "text_cell"):
                raise UnknownName("setting", name, TrainSettings.model_fields)
        start = start_named(options.get("weights"))
        if start is not None and start.backbone is not None:
            options = {"backbone": start.backbone, **options}
        settings = TrainSettings(**options)
        if settings.loss is not None:
            weighted_names(settings.loss)
        if settings.text_tower is not None:
            TEXT_TOWERS.check(settings.text_tower)
        CAPTION_LOSSES.check(settings.caption_loss)
        CAPTION_LOSSES.check(settings.attribute_loss)
        return settings

    @property
    def budget(self) -> str:
        """How long to train, in words.

        Example:
            >>> TrainSettings.checked(minutes=1.5).budget
            '1.5 minutes'
        """
        if self.minutes is not None:
            return f"{self.minutes:g} minute{'s' * (self.minutes != 1)}"
        return f"{self.epochs} epoch{'s' * (self.epochs != 1)}"

    def write(self, path: Path) -> None:
        """Write the settings as YAML."""
        write_whole(
            path,
            yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        )


def _sentence(where: str, message: str, value: Any) -> str:
    message = message.removeprefix("Value error, ")
    if not where:
        return f"settings: {message}"
    return f"setting {where} is {value!r}: {message[:1].lower()}{message[1:]}"


def group_of(name: str) -> str:
    """The group of a setting, one of `GROUPS`."""
    return _more(name)["group"]


def shown_default(name: str) -> str:
    """The default of a setting as help and docs show it; empty where nothing happens by default.

    Example:
        >>> shown_default("batch_size"), shown_default("size"), shown_default("split_by")
        ('128', 'from the data; with a start 1.5 times that', '')
    """
    default = TrainSettings.model_fields[name].get_default(call_default_factory=True)
    if default is None:
        return _more(name)["none"] or ""
    if default is False or default == {}:
        return ""
    return _shown(default)


def shown_with_weights(name: str) -> str:
    """The default of a setting where training starts from weights, in words; empty if it is no other.

    Example:
        >>> shown_with_weights("dim"), shown_with_weights("seed")
        ('512 with weights', '')
    """
    other = _more(name)["with_weights"]
    return "" if other is None else f"{_shown(other)} with weights"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def defaults_with_weights() -> dict[str, Any]:
    """Defaults that are others where training starts from weights, by name."""
    found = {name: _more(name)["with_weights"] for name in TrainSettings.model_fields}
    return {name: value for name, value in found.items() if value is not None}


def _more(name: str) -> dict[str, Any]:
    extra = TrainSettings.model_fields[name].json_schema_extra
    assert isinstance(extra, dict), f"setting {name} is made by _setting"
    return extra


def overridden(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of several sources, of which later ones win; a later budget replaces an earlier one of the other kind.

    Example:
        >>> overridden({"epochs": 20, "dim": 64}, {"minutes": 5})
        {'dim': 64, 'minutes': 5}
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for one, other in (("epochs", "minutes"), ("minutes", "epochs")):
            if layer.get(one) is not None and layer.get(other) is None:
                merged.pop(other, None)
        merged |= layer
    return merged


def read_settings(path: Path) -> dict[str, Any]:
    """Names and values of a settings file, not yet checked.

    Runs of nearkin 0.1.0 wrote epochs beside the minutes that they were trained by: minutes hold.

    Raises:
        ArtefactError: the file is missing, or is not YAML of names and values.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ArtefactError(f"settings file '{path}' cannot be read: {reason}") from error
    if not isinstance(settings, dict):
        raise ArtefactError(f"settings file '{path}': expected lines such as 'epochs: 20', got {settings!r:.60}")
    if settings.get("minutes") is not None:
        settings.pop("epochs", None)
    return settings
