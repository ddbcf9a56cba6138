"""From a source and settings to what training needs: training and validation pictures, decoded, and an encoder."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tokenizers import Tokenizer
from torch import nn

from nearkin.data.attributes import Attributes, ClassTable, read_class_table
from nearkin.data.images import Preprocessing, decode
from nearkin.data.items import Broken, Items
from nearkin.data.pixel_cache import PixelCache
from nearkin.data.splits import Split, split_items
from nearkin.encoders.attributes import AttributeTower, AttributeTowerConfig
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig, default_pooling, largest_size
from nearkin.encoders.start_weights import StartingModel, starting_model
from nearkin.encoders.starts import STARTS
from nearkin.encoders.texts import TEXT_TOWERS, PaddedTokenizer, TowerOptions
from nearkin.errors import InvalidInput, PictureError, SourceError
from nearkin.progress import Progress
from nearkin.training.augmentation import augmentation
from nearkin.training.batches import TrainingData
from nearkin.training.settings import TrainSettings

# Pictures looked at to choose size and channels.
SAMPLE = 64


@dataclass(frozen=True)
class Prepared:
    """What a training run starts from.

    Args:
        train, val: the training and the validation pictures; of the latter there are none with `val_fraction` 0.
        encoder: as the training begins.
        skipped: pictures that could not be decoded.
        left_out: pictures that could not serve: without the label or caption that is trained.
    """

    train: TrainingData
    val: TrainingData
    encoder: Encoder
    skipped: tuple[Broken, ...]
    left_out: int


def prepare(items: Items, settings: TrainSettings, *, progress: Progress | None = None) -> Prepared:
    """Split, decode and build.

    Raises:
        SourceError: nothing to train on: no labels, no captions, one class only, no picture that can be decoded.
        PictureError: with `strict`, a picture is broken.
    """
    items.refuse_skipped(settings.strict)
    skipped = items.skipped
    labels, captions = trained_losses(items, settings)
    _check_settings(items, settings, labels=labels, captions=captions)
    table = _class_table(items, settings)
    usable = [
        row
        for row in range(len(items))
        if (not labels or items.labels[row] is not None) and (not captions or items.captions[row])
    ]
    left_out = len(items) - len(usable)
    if not usable:
        raise SourceError(f"{items.source}: no picture has both a label and a caption, as training on both needs")
    items = items.select(usable)
    start = starting_model(settings.weights)
    _check_start(start, settings)
    preprocessing = _preprocessing(items, settings, start)
    cache = PixelCache.build(items.pictures, preprocessing, strict=settings.strict, progress=progress)
    items, rows = items.select(cache.ok), np.asarray(cache.ok)
    split = split_items(items, val_fraction=settings.val_fraction, seed=settings.seed, by=settings.split_by)
    _check_pictures(items, split, settings, labels=labels)
    text = tokenizer = None
    if captions:
        texts = [text for row in split.train for text in items.captions[row]]
        text, tokenizer = TEXT_TOWERS[text_tower_name(settings)].make(
            texts,
            TowerOptions(
                settings.dim, settings.text_width, settings.vocabulary, settings.text_dropout, settings.word_dropout
            ),
        )

    attributes = None
    if table is not None:
        attributes = _attributes(table, items.select(split.train).label_ids()[1], settings)

    def data(chosen: np.ndarray) -> TrainingData:
        some = items.select(chosen)
        ids, classes = some.label_ids()
        described = None
        if attributes is not None and table is not None:
            columns = [column.name for column in attributes.columns]
            of_classes = attributes.numbers(table.of(classes, columns), classes=classes, unknown_words=True)
            described = attributes.scaled(of_classes)
        return TrainingData(some, cache, rows[chosen], ids if labels else None, tokenizer, attributes=described)

    train = data(split.train)
    if settings.batch_by is not None:
        train = dataclasses.replace(train, groups=train.items.column(settings.batch_by))
    if settings.rotate_classes:
        train = dataclasses.replace(train, turns=4)
    encoder = _encoder(settings, preprocessing, text, tokenizer, attributes, start)
    return Prepared(train, data(split.val), encoder, (*skipped, *cache.broken), left_out)


def _check_settings(items: Items, settings: TrainSettings, *, labels: bool, captions: bool) -> None:
    """Refuses settings that the data or the losses do not allow, before a picture is decoded."""
    augmentation(settings.augmentation, settings.augmentation_options)
    if not labels:
        for name, given in (
            ("batch_by", settings.batch_by is not None),
            ("sampler 'hard'", settings.sampler == "hard"),
            ("memory", settings.memory is not None),
            ("loss_learning_rate", settings.loss_learning_rate is not None),
        ):
            if given:
                raise InvalidInput(f"{name} needs a loss on labels, and only captions are trained: leave it out")
    if settings.freeze and settings.weights is None:
        raise InvalidInput("freeze needs weights: a network of random weights would stay as it is (--weights lite0)")
    if settings.freeze and settings.rotate_classes:
        raise InvalidInput("rotate_classes needs a network that is trained: leave it out, or --no-freeze")
    if settings.batch_by is not None:
        items.column(settings.batch_by)
    if settings.rotate_classes and captions:
        raise InvalidInput("rotate_classes needs labels without captions: a caption describes the picture upright")
    if settings.rotate_classes and settings.attributes is not None:
        raise InvalidInput("rotate_classes makes classes that the table of attributes does not describe: leave one out")


def _class_table(items: Items, settings: TrainSettings) -> ClassTable | None:
    """The attributes of the classes, if they are trained; every class has some."""
    if settings.attributes is None:
        return None
    table = read_class_table(settings.attributes, label=settings.label)
    table.of(items.label_ids()[1], settings.attribute_columns)
    return table


def _attributes(table: ClassTable, classes: Sequence[str], settings: TrainSettings) -> Attributes:
    """What the attributes are, as far as the classes trained on tell."""
    try:
        return Attributes.fit(table.of(classes, settings.attribute_columns))
    except InvalidInput as error:
        raise SourceError(f"{table.source}: {error} (--attribute-column chooses columns)") from error


def trained_losses(items: Items, settings: TrainSettings) -> tuple[bool, bool]:
    """Whether labels and whether captions are trained.

    Labels are if a loss on them is named, or if there are labels and captions are not asked for; captions are if
    asked for, or if there are no labels. Attributes are trained beside labels.

    Raises:
        SourceError: the source lacks what is asked for.
    """
    captions = items.has_captions and not items.has_labels if settings.captions is None else settings.captions
    labels = settings.loss is not None or settings.attributes is not None or (items.has_labels and not captions)
    if labels and not items.has_labels:
        raise SourceError(f"{items.source}: a loss on labels needs labels: a folder per class, or a column 'label'")
    if captions and not items.has_captions:
        raise SourceError(f"{items.source}: no captions found: expected a table with a column 'caption' or 'text'")
    if not labels and not captions:
        raise SourceError(
            f"{items.source}: neither labels nor captions to learn from: "
            "expected a folder per class, or a table with a column 'label' or 'caption'"
        )
    return labels, captions


def _check_start(start: StartingModel | None, settings: TrainSettings) -> None:
    """Refuses to start another network from a model."""
    if start is not None and start.backbone != settings.backbone:
        raise InvalidInput(
            f"--weights {settings.weights} has the backbone {start.backbone}, and this training is of "
            f"{settings.backbone}: add --backbone {start.backbone}"
        )


def _preprocessing(items: Items, settings: TrainSettings, start: StartingModel | None) -> Preprocessing:
    """Size and channels that are asked for, or those of the model to start from, or what suits the pictures."""
    if start is not None:
        before = start.preprocessing
        return dataclasses.replace(
            before,
            height=settings.size or before.height,
            width=settings.size or before.width,
            channels=settings.channels or before.channels,
            fit=settings.fit,
        )
    sample = sample_pictures(items)
    size = settings.size or _size(sample, settings)
    channels = settings.channels or _channels(sample, settings)
    return Preprocessing(height=size, width=size, channels=channels, fit=settings.fit)


def _check_pictures(items: Items, split: Split, settings: TrainSettings, *, labels: bool) -> None:
    """Refuses a split with nothing to train on, or with nothing that can be found in validation."""
    if not len(split.train):
        raise SourceError(f"{items.source}: none of its {len(items)} pictures can be trained on")
    if not settings.val_fraction:
        return
    counts = Counter(items.labels[row] for row in split.val if labels and items.labels[row] is not None)
    repeated = sum(count > 1 for count in counts.values())
    captioned = sum(bool(items.captions[row]) for row in split.val)
    if not ((repeated and len(counts) > 1) or (not labels and captioned > 1)):
        there = (
            f"{sum(counts.values())} pictures of {len(counts)} classes, {repeated} of them with two pictures or more"
            if labels
            else f"{captioned} pictures with captions"
        )
        lacks = "two classes, one of them with two pictures" if labels else "two pictures with captions"
        raise SourceError(
            f"{items.source}: too few pictures to hold some out for validation, which would get {there}, expected at "
            f"least {lacks}: add pictures, or train on all of them without validation (--val-fraction 0)"
        )


def text_tower_name(settings: TrainSettings) -> str:
    """The text tower that is asked for; else e5 beside pretrained weights, where it is installed, and a GRU."""
    if settings.text_tower is not None:
        return settings.text_tower
    return "e5" if settings.weights is not None and STARTS["e5"].is_installed else "gru"


def _encoder(
    settings: TrainSettings,
    preprocessing: Preprocessing,
    text: nn.Module | None,
    tokenizer: Tokenizer | PaddedTokenizer | None,
    attributes: Attributes | None,
    start: StartingModel | None,
) -> Encoder:
    image = ImageTower(
        ImageTowerConfig(
            backbone=settings.backbone,
            dim=settings.dim,
            channels=preprocessing.channels,
            height=preprocessing.height,
            width=preprocessing.width,
            pooling=settings.pooling or (start.pooling if start else default_pooling(settings.backbone)),
            options=settings.backbone_options or (start.options if start else {}),
        ),
        settings.weights,
    )
    trained_on = getattr(image.backbone, "pretrained_cfg", {}) if settings.weights and start is None else {}
    if trained_on and preprocessing.channels == 3:
        preprocessing = dataclasses.replace(preprocessing, mean=tuple(trained_on["mean"]), std=tuple(trained_on["std"]))
    tower = None
    if attributes is not None:
        tower = AttributeTower(AttributeTowerConfig(settings.dim, settings.attribute_width), attributes)
    return Encoder(image, preprocessing, text, tokenizer, tower)


def sample_pictures(items: Items) -> list[Image.Image]:
    """Some of the pictures, evenly spaced; broken ones are left to the cache, which names them.

    Raises:
        SourceError: all are broken.
    """
    pictures = []
    for row in np.unique(np.linspace(0, len(items) - 1, SAMPLE).astype(int)):
        try:
            pictures.append(decode(items.pictures[row]))
        except PictureError:
            continue
    if not pictures:
        raise SourceError(f"{items.source}: none of the pictures looked at can be decoded")
    return pictures


def _channels(sample: list[Image.Image], settings: TrainSettings) -> int:
    """1 if every picture is grey and no weights are loaded that expect colour."""
    return 1 if is_grey(sample) and settings.weights is None else 3


def is_grey(pictures: Sequence[Image.Image]) -> bool:
    """Whether no picture has a colour."""
    return all(np.ptp(np.asarray(picture), axis=2).max() == 0 for picture in pictures)


def usual_side(pictures: Sequence[Image.Image]) -> float:
    """The median of the pictures' longer sides, in pixels."""
    return float(np.median([max(picture.size) for picture in pictures]))


def _size(sample: list[Image.Image], settings: TrainSettings) -> int:
    """The pictures' usual size, to a multiple of 16: at most 224, and 64 for networks made for small ones."""
    return int(np.clip(16 * round(usual_side(sample) / 16), 32, largest_size(settings.backbone)))
