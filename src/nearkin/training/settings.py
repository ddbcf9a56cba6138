"""Settings of a training run: small, frozen, passed whole, and written into the run folder."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nearkin.errors import ArtefactError, InvalidInput, UnknownName


class TrainSettings(BaseModel):
    """Everything that decides a training run, but for the data's own content.

    Example:
        >>> TrainSettings.checked(loss="contrastive", epochs=3).epochs
        3
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    backbone: str = Field("resnet18", description="conv4, resnet12, or any network of timm by name")
    backbone_options: dict[str, Any] = Field(default_factory=dict, description="keywords of the backbone: width, ...")
    weights: str | None = Field(None, description="'pretrained', or a file of weights; None is random")
    batch_norm: Literal["trained", "frozen"] | None = Field(
        None, description="'frozen': the image tower keeps the statistics of its weights; None: if it has weights"
    )
    dim: int = Field(128, ge=1, description="numbers of an embedding")
    pooling: str | None = Field(None, description="avg, max, gem or flatten; by the backbone if None")
    size: int | None = Field(None, ge=8, le=2048, description="side of a picture in pixels; by the data if None")
    channels: Literal[1, 3] | None = Field(None, description="1 for grey; by the data if None")
    fit: Literal["squash", "crop", "pad"] = Field("squash", description="how a picture is brought to a square")

    loss: str | None = Field(None, description="on labels: triplet, contrastive, softmax, ...; triplet if None")
    loss_options: dict[str, Any] = Field(default_factory=dict, description="keywords of the loss, such as margin")
    captions: bool | None = Field(None, description="train a text tower on the captions; None: if there are no labels")
    caption_weight: float = Field(1.0, gt=0, description="weight of the caption loss beside the loss on labels")
    caption_loss: str = Field("info_nce", description="info_nce, siglip or vse")
    caption_loss_options: dict[str, Any] = Field(default_factory=dict, description="keywords of the caption loss")
    memory: int | None = Field(None, ge=1, description="embeddings of earlier batches that a batch is compared with")
    memory_weight: float = Field(1.0, gt=0, description="weight of the loss against the memory")
    text_cell: Literal["gru", "lstm"] = Field("gru", description="recurrent cell of the text tower")
    text_width: int = Field(256, ge=1, description="numbers of a token's embedding and of the recurrent state")
    vocabulary: int = Field(8000, ge=2, description="most tokens of the tokenizer")

    epochs: int = Field(20, ge=1, description="passes over the training pictures")
    minutes: float | None = Field(None, gt=0, description="train this long instead of a number of epochs")
    validate_every: int = Field(1, ge=1, description="epochs from one validation to the next; first and last have one")
    batch_size: int = Field(128, ge=2, description="pictures in a batch")
    per_class: int = Field(4, ge=1, description="pictures of each class in a batch")
    chunk_size: int | None = Field(
        None,
        ge=1,
        description="pictures whose activations are held at once, for batches larger than memory; all if None",
    )
    sampler: Literal["random", "hard"] = Field("random", description="'hard': a batch brings together classes alike")
    batch_by: str | None = Field(None, description="column of which a batch holds one value only, such as 'group'")
    rotate_classes: bool = Field(False, description="a class turned by 90, 180, 270 degrees is a class of its own")
    learning_rate: float = Field(1e-3, gt=0, description="peak of warm-up and cosine")
    loss_learning_rate: float | None = Field(
        None, gt=0, description="peak, of a loss's own weights; by the loss if None"
    )
    weight_decay: float = Field(1e-2, ge=0, description="AdamW's, on matrices and convolutions")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the training in which the rate rises")
    ema: float | None = Field(None, gt=0, lt=1, description="decay of an average of the weights, which is then judged")
    augmentation: str = Field("photo", description="none, drawing, strokes, icon or photo")
    augmentation_options: dict[str, Any] = Field(default_factory=dict, description="its fields, such as rotation")

    label: str | None = Field(None, description="column of the label; 'path' for the whole folder of a tree")
    caption_columns: tuple[str, ...] | None = Field(None, description="columns of the captions")
    split_by: str | None = Field(None, description="column whose values stay on one side of the split")
    val_fraction: float = Field(0.2, gt=0, lt=1, description="share of the classes (or pictures) held out")
    strict: bool = Field(False, description="refuse broken pictures instead of skipping them")

    seed: int = Field(0, ge=0, description="of weights, splits, batches and views")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="bfloat16 where the machine has it")
    threads: int | None = Field(None, ge=1, description="CPU threads of torch")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")

    @model_validator(mode="after")
    def _fits(self) -> "TrainSettings":
        if self.per_class > self.batch_size:
            raise ValueError(f"per_class is {self.per_class}, more than the batch size, {self.batch_size}")
        return self

    @staticmethod
    def checked(**options: Any) -> "TrainSettings":
        """Settings from keywords.

        Raises:
            UnknownName: no such setting; the message suggests near names.
            InvalidInput: a value is out of range or of another type.
        """
        for name in options:
            if name not in TrainSettings.model_fields:
                raise UnknownName("setting", name, TrainSettings.model_fields)
        try:
            return TrainSettings(**options)
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise InvalidInput(f"setting {where}: {fault['msg']}" if where else f"settings: {fault['msg']}") from error

    def write(self, path: Path) -> None:
        """Write the settings as YAML."""
        path.write_text(
            yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True), encoding="utf-8"
        )


def read_settings(path: Path) -> dict[str, Any]:
    """Names and values of a settings file, not yet checked.

    Raises:
        ArtefactError: the file is missing, or is not YAML of names and values.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArtefactError(f"settings '{path}' cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise ArtefactError(f"settings '{path}': wanted names with values")
    return settings
