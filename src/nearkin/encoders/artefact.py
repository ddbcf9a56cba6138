"""The artefact on disk: one folder of safetensors, JSON and a model card. Never pickle.

model.safetensors   weights            tokenizer.json         only with a text tower that has one of its own
config.json         what to build      calibration.json       only if it was calibrated: what its scores mean
README.md           model card         training.safetensors   only if known: hashes of what it was trained on
                                       word_calibration.safetensors   only if known: what to judge words by
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from tokenizers import Tokenizer
from torch import Tensor

from nearkin.calibration.decisions import Calibration
from nearkin.calibration.words import WordCalibration
from nearkin.encoders.model_folder import CALIBRATION, CARD, CONFIG, WORDS, locate
from nearkin.encoders.starts import start_named
from nearkin.encoders.texts import PaddedTokenizer
from nearkin.encoders.training_hashes import TrainingHashes
from nearkin.errors import ArtefactError
from nearkin.files import write_whole

# Each model is of the oldest format that can say what it is: version 0.1.0 reads the first one, 0.2.0 the second.
# The third is of models without a projection, the fourth of those on a start that they name and do not copy.
FORMATS = PLAIN, WITH_ATTRIBUTES, WITHOUT_PROJECTION, ON_START = 1, 2, 3, 4
WEIGHTS, TOKENIZER, TRAINING_HASHES = "model.safetensors", "tokenizer.json", "training.safetensors"


@dataclass(frozen=True)
class Artefact:
    """What the folder holds.

    Args:
        config: what to build, as JSON.
        weights: tensors by name.
        tokenizer: of the text tower, if there is one; a tokenizer that a start brings is not written.
        card: the model card, in Markdown.
        calibration: what its scores mean, if that is known.
        training_hashes: what it was trained on, as hashes, if that is known.
        word_calibration: what to judge words by, if that is known.
    """

    config: dict[str, Any]
    weights: dict[str, Tensor]
    tokenizer: Tokenizer | PaddedTokenizer | None
    card: str
    calibration: Calibration | None = None
    training_hashes: TrainingHashes | None = None
    word_calibration: WordCalibration | None = None

    def write(self, folder: Path) -> Path:
        """Write the folder. The configuration comes last: a folder without it is no artefact."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).unlink(missing_ok=True)
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.weights.items()}
        # Not save_file, whose files only their owner can read.
        write_whole(folder / WEIGHTS, save(weights, metadata={"format": "pt"}))
        for name in (TOKENIZER, CALIBRATION, TRAINING_HASHES, WORDS):
            (folder / name).unlink(missing_ok=True)
        if isinstance(self.tokenizer, Tokenizer):
            self.tokenizer.save(str(folder / TOKENIZER))
        if self.calibration is not None:
            self.calibration.write(folder / CALIBRATION)
        if self.training_hashes is not None:
            self.training_hashes.write(folder / TRAINING_HASHES)
        if self.word_calibration is not None:
            self.word_calibration.write(folder / WORDS)
        (folder / CARD).write_text(self.card, encoding="utf-8")
        config = {"format": _format(self.config), **self.config}
        (folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return folder

    @staticmethod
    def read(path: str | Path) -> "Artefact":
        """Read the artefact in a folder, in the `model/` of a run folder, or on the Hugging Face Hub; or a start's.

        Raises:
            ArtefactError: nothing there, a file is missing or damaged, or a newer nearkin wrote it.
            MissingDependency: the package of a start is not installed.
        """
        if (start := start_named(path)) is not None:
            config, weights, card = start.model()
            return Artefact(config, weights, None, card)
        folder = locate(path)
        try:
            config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            if config["format"] > max(FORMATS):
                raise ArtefactError(
                    f"'{folder}' has format {config['format']}, this nearkin reads up to {max(FORMATS)}: update nearkin"
                )
            with_tokenizer = config["text"] is not None and not _is_on_start(config)
            for name in (WEIGHTS, *([TOKENIZER] if with_tokenizer else [])):
                if not (folder / name).is_file():
                    raise ArtefactError(f"'{folder}' is incomplete: {name} is missing")
            for name in (WEIGHTS, TOKENIZER, TRAINING_HASHES, WORDS):
                _check_readable(folder / name)
            weights = load_file(str(folder / WEIGHTS))
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER)) if with_tokenizer else None
            card = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
            calibration = _calibration(folder / CALIBRATION)
            hashes = TrainingHashes.read(folder / TRAINING_HASHES) if (folder / TRAINING_HASHES).is_file() else None
            words = WordCalibration.read(folder / WORDS) if (folder / WORDS).is_file() else None
        except PermissionError as error:
            raise ArtefactError(f"'{error.filename}' cannot be read: {error.strerror}") from error
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ArtefactError(f"'{folder}' is damaged: {error}") from error
        return Artefact(config, weights, tokenizer, card, calibration, hashes, words)


def _is_on_start(config: dict[str, Any]) -> bool:
    """Whether the text tower stands on a start, which is named and not copied."""
    return "tower" in (config["text"] or {})


def _format(config: dict[str, Any]) -> int:
    if _is_on_start(config):
        return ON_START
    if "projection" in config["image"]:
        return WITHOUT_PROJECTION
    return WITH_ATTRIBUTES if "attributes" in config else PLAIN


def _check_readable(path: Path) -> None:
    """Raises a PermissionError that the readers of weights and tokenizers would hide."""
    if path.is_file():
        with path.open("rb"):
            pass


def _calibration(path: Path) -> Calibration | None:
    return Calibration.from_dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
