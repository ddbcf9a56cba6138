"""Where a training begins unless the user says, and the defaults that go with it.

Photos begin at a pretrained start, if it is installed; drawings, which look like nothing that ImageNet holds, from
random weights. What is chosen is written into the settings of the run, as if the user had asked for it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from nearkin.data.items import Items
from nearkin.encoders.backbones import BACKBONES
from nearkin.encoders.start_weights import starting_model
from nearkin.encoders.starts import STARTS
from nearkin.errors import SourceError
from nearkin.training.prepare import is_grey, sample_pictures, trained_losses, usual_side
from nearkin.training.settings import TrainSettings, defaults_with_weights

# Where photos begin.
PHOTO_START = "lite0"
# The user's word for random weights.
NO_WEIGHTS = "none"
# Pictures up to this side in pixels are icons, and pictures of at most so many colours are drawings. Colours are
# counted with 16 steps a channel in 64 x 64 pixels: medians of sets of photos are 128 to 335, of emoji of 72 pixels 41.
SMALL_SIDE = 64
FEW_COLOURS = 60
# Caltech-101 at 128 pixels, unseen classes, lite0: recall@1 95.5 % at 128, 97.1 % at 192.
ENLARGED = 1.5
# Defaults of a training on captions alone, whose network is frozen: two small maps, on features computed once.
FROZEN = {
    "batch_size": 512,
    "dim": 512,
    "epochs": 60,
    "feature_dropout": 0.7,
    "interpolate": False,
    "learning_rate": 1e-3,
    "projection_first": False,
    "text_dropout": 0.3,
    "text_width": 512,
    "validate_every": 5,
    "weight_decay": 0.05,
}
# The loss on labels of a training that starts from weights, where none is named.
LOSS_WITH_WEIGHTS = "normalised-softmax"


def with_defaults(settings: TrainSettings, items: Items, say: Callable[[str], None] | None = None) -> TrainSettings:
    """The settings of a new run, with what the user left open.

    Args:
        settings: as the user gave them.
        items: to train on.
        say: is told in a line where the training begins, if that was left open and could have been a start.
    """
    given = {name for name in settings.model_fields_set if getattr(settings, name) is not None}
    changes: dict[str, object] = {}
    if settings.weights == NO_WEIGHTS:
        changes["weights"] = None
    elif not given & {"weights", "backbone"} and are_photos(_looked_at(items, settings)):
        start, says = STARTS[PHOTO_START], say or (lambda line: None)
        if start.is_installed:
            changes |= {"weights": PHOTO_START, "backbone": start.backbone}
            says(f"photos: the training begins at {PHOTO_START}, which ImageNet trained (--weights none: from scratch)")
        else:
            says(
                f"photos: a training that begins at {PHOTO_START} is far better, and it is not installed: "
                f"{start.install}"
            )
    settings = settings.model_copy(update=changes)
    if settings.weights is None:
        return settings
    changes = {name: value for name, value in defaults_with_weights().items() if name not in given}
    if settings.backbone in BACKBONES:
        changes.pop("dim", None)
    own = starting_model(settings.weights)
    if own is not None and own.folder is not None and "dim" not in given:
        changes["dim"] = own.dim
    if own is not None and own.folder is None and "size" not in given:
        changes["size"] = _enlarged(items, own.preprocessing.height)
    labels, captions = trained_losses(items, settings)
    few = changes.get("batch_size")
    if captions or settings.loss is not None or (isinstance(few, int) and 2 * settings.per_class > few):
        # Losses that compare pictures with pictures, or with texts, need many of them at once.
        changes.pop("batch_size", None)
    if captions:
        # A text tower starts from nothing: it needs the epochs of a training from scratch.
        changes.pop("epochs", None)
        if not labels and settings.freeze is not False:
            changes |= {"freeze": True, **{name: value for name, value in FROZEN.items() if name not in given}}
    if settings.minutes is not None:
        changes.pop("epochs", None)
    if labels and settings.loss is None:
        changes["loss"] = LOSS_WITH_WEIGHTS
    return settings.model_copy(update=changes)


def _enlarged(items: Items, largest: int) -> int:
    """The side in pixels at which pictures are shown to a start: larger than they are, up to what it was trained at.

    Its filters were made for large pictures: small ones, enlarged by half, are told apart better.
    """
    return int(np.clip(16 * round(ENLARGED * usual_side(sample_pictures(items)) / 16), 32, largest))


def are_photos(pictures: Sequence[Image.Image]) -> bool:
    """Whether pictures are photos, or like them: not all grey, not small, and of many colours.

    Args:
        pictures: some of them, in RGB.

    Example:
        >>> are_photos([Image.new("RGB", (128, 128), "red")])
        False
    """
    if not pictures or is_grey(pictures) or usual_side(pictures) <= SMALL_SIDE:
        return False
    return float(np.median([_count_colours(picture) for picture in pictures])) > FEW_COLOURS


def _count_colours(picture: Image.Image) -> int:
    pixels = np.asarray(picture.resize((64, 64), Image.Resampling.NEAREST)).reshape(-1, 3) // 16
    return len(np.unique(pixels.astype(int) @ [1, 16, 256]))


def _looked_at(items: Items, settings: TrainSettings) -> list[Image.Image]:
    """Some of the pictures; none if the settings are those of drawings, or none can be decoded."""
    if settings.channels == 1 or (settings.size is not None and settings.size <= SMALL_SIDE):
        return []
    try:
        return sample_pictures(items)
    except SourceError:
        return []
