"""nearkin: image embeddings, from a folder of pictures to answers.

Everything public is reached from here; modules load when first used, so that `import nearkin` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> module that defines it
_PUBLIC = {
    "Calibration": "nearkin.calibration.decisions",
    "Encoder": "nearkin.encoders.encoder",
    "Gallery": "nearkin.gallery.gallery",
    "Hit": "nearkin.gallery.gallery",
    "Items": "nearkin.data.items",
    "NearkinError": "nearkin.errors",
    "Report": "nearkin.evaluation.report",
    "TrainSettings": "nearkin.training.settings",
    "Verdict": "nearkin.calibration.decisions",
    "calibrate": "nearkin.tasks.calibrate",
    "compare": "nearkin.tasks.compare.run",
    "evaluate": "nearkin.tasks.evaluate",
    "read_items": "nearkin.data.sources",
    "train": "nearkin.training.train",
}
_SUBPACKAGES = ("errors", "evaluation", "losses", "similarity")

__all__ = [*_PUBLIC, *_SUBPACKAGES, "__version__"]

if TYPE_CHECKING:
    from nearkin import errors, evaluation, losses, similarity
    from nearkin.calibration.decisions import Calibration, Verdict
    from nearkin.data.items import Items
    from nearkin.data.sources import read_items
    from nearkin.encoders.encoder import Encoder
    from nearkin.errors import NearkinError
    from nearkin.evaluation.report import Report
    from nearkin.gallery.gallery import Gallery, Hit
    from nearkin.tasks.calibrate import calibrate
    from nearkin.tasks.compare.run import compare
    from nearkin.tasks.evaluate import evaluate
    from nearkin.training.settings import TrainSettings
    from nearkin.training.train import train


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
    elif name in _SUBPACKAGES:
        value = import_module(f"nearkin.{name}")
    else:
        raise AttributeError(f"module 'nearkin' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
