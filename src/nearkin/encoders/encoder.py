"""Encoder: pictures, and texts and attributes where it has towers for them, to unit vectors of one space."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

import nearkin
from nearkin.arrays import check_count
from nearkin.calibration.decisions import Calibration, Verdict
from nearkin.calibration.words import WordCalibration
from nearkin.data.attributes import Attributes
from nearkin.data.captions import encode_texts
from nearkin.data.images import Preprocessing, decode, stream_pixels
from nearkin.data.items import Picture
from nearkin.encoders.artefact import Artefact
from nearkin.encoders.attributes import AttributeTower, AttributeTowerConfig
from nearkin.encoders.hubs import foreign_model
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.model_folder import CONFIG, locate
from nearkin.encoders.starts import start_named
from nearkin.encoders.texts import PaddedTokenizer, load_text_tower
from nearkin.encoders.training_hashes import TrainingHashes
from nearkin.errors import ArtefactError, InvalidInput, PictureError
from nearkin.progress import Progress, progress_bar
from nearkin.similarity import exact_scores

_log = logging.getLogger(__name__)

# Pixels of the pictures that go through a network at once on a CPU: 8 of 160 x 160.
PIXELS_TOGETHER = 8 * 160 * 160

# What can be given as one picture: a path, an opened picture, or pixels.
PictureLike = str | Path | Picture | Image.Image | np.ndarray | Tensor

# The fingerprint of each encoder, with the tensors that it was made of, each with its count of changes. The tensors are
# kept, so that no other one can come to lie at their addresses.
_FINGERPRINTS: "WeakKeyDictionary[Encoder, tuple[list[tuple[Tensor, int]], str]]" = WeakKeyDictionary()


def as_pictures(pixels: UInt8[Tensor, "n height width channels"]) -> Float[Tensor, "n channels height width"]:
    """Pixels 0..255 as floats 0..1, channels first, as networks want them."""
    return pixels.permute(0, 3, 1, 2).float() / 255


class Encoder(nn.Module):
    """Embeds pictures, and texts and attributes of classes if there are towers for them, as unit vectors.

    Args:
        image: the image tower.
        preprocessing: how a picture becomes pixels of the tower's size.
        text: the text tower, if the encoder embeds texts.
        tokenizer: the text tower's tokenizer; given exactly if `text` is.
        attribute_tower: if the encoder embeds attributes.

    Example:
        >>> from nearkin.encoders.image import ImageTowerConfig
        >>> tower = ImageTower(ImageTowerConfig("conv4", dim=8))
        >>> encoder = Encoder(tower, Preprocessing(height=64, width=64))
        >>> encoder.embed_images([np.zeros((20, 30, 3), dtype=np.uint8)]).shape
        (1, 8)
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image: ImageTower,
        preprocessing: Preprocessing,
        text: nn.Module | None = None,
        tokenizer: Tokenizer | PaddedTokenizer | None = None,
        attribute_tower: AttributeTower | None = None,
    ) -> None:
        super().__init__()
        assert (text is None) == (tokenizer is None)
        self.image = image.to(memory_format=torch.channels_last)
        self.text = text
        self.tokenizer = tokenizer
        self.attribute_tower = attribute_tower
        self.preprocessing = preprocessing
        # The model card's sections on training and evaluation, in Markdown; kept with the artefact.
        self.card = ""
        # What its scores mean, and what it was trained on; kept with the artefact too, where they are known.
        self.calibration: Calibration | None = None
        self.word_calibration: WordCalibration | None = None
        self._has_told = False
        self.training_hashes: TrainingHashes | None = None
        self.register_buffer("mean", torch.tensor(preprocessing.mean).reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).reshape(1, -1, 1, 1), persistent=False)

    def __repr__(self) -> str:
        """One line instead of a tree of layers; `print(encoder.image)` shows the layers."""
        height, width = self.preprocessing.height, self.preprocessing.width
        kinds = ["texts"] * self.has_text + ["attributes"] * self.has_attributes
        embeds = "pictures" + ("" if not kinds else f" and {kinds[0]}" if len(kinds) == 1 else ", texts and attributes")
        return f"Encoder({self.fingerprint}: {embeds} to {self.dim} dimensions, pictures of {height} x {width} pixels)"

    @property
    def dim(self) -> int:
        """Embedding dimension."""
        return self.image.config.dim

    @property
    def has_text(self) -> bool:
        """Whether texts can be embedded."""
        return self.text is not None

    @property
    def has_attributes(self) -> bool:
        """Whether attributes of classes can be embedded."""
        return self.attribute_tower is not None

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the numbers that attributes become; none without a tower for them."""
        return () if self.attribute_tower is None else self.attribute_tower.attributes.names

    @property
    def attribute_columns(self) -> tuple[str, ...]:
        """Columns of a table of classes that are embedded; none without a tower for them."""
        return (
            () if self.attribute_tower is None else tuple(one.name for one in self.attribute_tower.attributes.columns)
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.mean.device

    @property
    def fingerprint(self) -> str:
        """Identifies these weights and this preprocessing: the backbone, and 12 hex digits of a SHA-256.

        Vectors of two encoders can be compared only if their fingerprints are equal. The weights are hashed once, and
        again after a change.
        """
        if not self.training and self in _FINGERPRINTS:
            hashed, fingerprint = _FINGERPRINTS[self]
            if all(_is_unchanged(*one) for one in zip(hashed, self._tensors(), strict=True)):
                return fingerprint
        fingerprint = self._hash()
        if not self.training and not any(tensor.is_inference() for tensor in self._tensors()):
            _FINGERPRINTS[self] = [(tensor, tensor._version) for tensor in self._tensors()], fingerprint
        return fingerprint

    def train(self, mode: bool = True) -> "Encoder":
        """Training or evaluation mode, as of any module of torch."""
        if mode:
            _FINGERPRINTS.pop(self, None)
        return super().train(mode)

    def _tensors(self) -> list[Tensor]:
        return [tensor.detach() for _, tensor in sorted(self.state_dict().items())]

    def _hash(self) -> str:
        digest = hashlib.sha256(repr(sorted(self.preprocessing.to_dict().items())).encode())
        if self.tokenizer is not None:
            digest.update(self.tokenizer.to_str().encode())
        if self.attribute_tower is not None:
            digest.update(json.dumps(self.attribute_tower.attributes.to_dict()).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return f"{self.image.config.backbone}-{digest.hexdigest()[:12]}"

    def normalise(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n channels height width"]:
        """Pictures with values 0..1, standardised by the mean and standard deviation of `preprocessing`."""
        return (pictures - self.mean) / self.std

    def forward_images(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n dim"]:
        """Unit vectors of normalised pictures, with gradient."""
        return F.normalize(self.image(pictures).float(), dim=1)

    def forward_texts(self, tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        """Unit vectors of token ids, with gradient."""
        assert self.text is not None
        # A recurrent network gains nothing from bfloat16, and loses precision over its steps.
        with torch.autocast(tokens.device.type, enabled=False):
            return F.normalize(self.text(tokens, lengths), dim=1)

    def forward_attributes(self, attributes: Float[Tensor, "n k"]) -> Float[Tensor, "n dim"]:
        """Unit vectors of scaled attributes, with gradient."""
        assert self.attribute_tower is not None
        with torch.autocast(attributes.device.type, enabled=False):
            return F.normalize(self.attribute_tower(attributes), dim=1)

    def embed_pixels(self, pixels: UInt8[np.ndarray, "n height width channels"]) -> Float[np.ndarray, "n dim"]:
        """Unit vectors of pixels that `preprocessing` made."""
        with self._inference():
            parts = torch.from_numpy(pixels).split(self.pictures_together)
            pictures = (as_pictures(part.to(self.device)) for part in parts)
            return torch.cat([self.forward_images(self.normalise(part)).cpu() for part in pictures]).numpy()

    @property
    def pictures_together(self) -> int:
        """How many pictures go through the network at once without gradient: on a CPU so few that its caches hold them.

        EfficientNet-lite at 160 to 224 pixels takes 1.6 to 1.8 times as long by 64 pictures as by 8.
        """
        pixels = self.preprocessing.height * self.preprocessing.width
        return max(4, PIXELS_TOGETHER // pixels) if self.device.type == "cpu" else PIXELS_TOGETHER

    def embed_images(
        self,
        pictures: PictureLike | Sequence[PictureLike],
        *,
        batch_size: int = 256,
        progress: bool | Progress = False,
    ) -> Float[np.ndarray, "n dim"]:
        """Unit vectors of pictures.

        Args:
            pictures: paths, Pillow pictures, arrays `[height, width]` or `[height, width, channels]` (uint8), or
                tensors `[channels, height, width]` (uint8, or floats 0..1); one, or several of any kinds.
            batch_size: pictures that go through the network at once.
            progress: True for a bar on the terminal, or a callback `(done, total)`.

        Returns:
            One row per picture, float32.

        Raises:
            PictureError: a picture cannot be decoded; the message names it.

        Example: see the class.
        """
        several = [pictures] if isinstance(pictures, PictureLike) and _is_one(pictures) else list(pictures)  # type: ignore[arg-type]
        batch_size = min(check_count(batch_size, "batch_size"), max(1, len(several)))
        vectors = np.empty((len(several), self.dim), dtype=np.float32)
        with _progress(progress, "embedding pictures") as advance:
            for rows, pixels in self._pixel_batches(several, batch_size):
                vectors[rows] = self.embed_pixels(pixels)
                advance(int(rows[-1]) + 1, len(several))
        return vectors

    def embed_texts(
        self, texts: str | Sequence[str], *, batch_size: int = 256, progress: bool | Progress = False
    ) -> Float[np.ndarray, "n dim"]:
        """Unit vectors of texts, in the space of the pictures.

        Args:
            texts: one text, or several.
            batch_size: texts that go through the network at once.
            progress: True for a bar on the terminal, or a callback `(done, total)`.

        Returns:
            One row per text, float32.

        Raises:
            InvalidInput: the encoder has no text tower, or a text is not a string or is empty.

        Example:
            >>> from nearkin.encoders.image import ImageTowerConfig
            >>> from nearkin.encoders.texts import TEXT_TOWERS, TowerOptions
            >>> captions = ["red heart", "красное сердце"]
            >>> text, tokenizer = TEXT_TOWERS["gru"].make(captions, TowerOptions(dim=8, width=16))
            >>> image = ImageTower(ImageTowerConfig("conv4", dim=8))
            >>> encoder = Encoder(image, Preprocessing(height=64, width=64), text, tokenizer)
            >>> encoder.embed_texts(["сердце", "heart"]).shape
            (2, 8)
        """
        if self.tokenizer is None:
            raise InvalidInput(f"encoder {self.fingerprint} embeds pictures only: train one with captions for texts")
        several = [texts] if isinstance(texts, str) else list(texts)
        for position, text in enumerate(several):
            if not isinstance(text, str) or not text.strip():
                raise InvalidInput(f"text {position} is {text!r}: expected words")
        self._tell_of_other_letters(several)
        batch_size = min(check_count(batch_size, "batch_size"), max(1, len(several)))
        vectors = np.empty((len(several), self.dim), dtype=np.float32)
        with _progress(progress, "embedding texts") as advance:
            for start in range(0, len(several), batch_size):
                tokens, lengths = encode_texts(self.tokenizer, several[start : start + batch_size])
                with self._inference():
                    batch = self.forward_texts(
                        torch.from_numpy(tokens).to(self.device), torch.from_numpy(lengths).to(self.device)
                    )
                vectors[start : start + batch_size] = batch.cpu().numpy()
                advance(start + len(lengths), len(several))
        return vectors

    def _tell_of_other_letters(self, texts: Sequence[str]) -> None:
        """Say once that texts are in letters that no caption of the training was in, as far as that is known."""
        if self.word_calibration is None or self._has_told:
            return
        for text in texts:
            if not self.word_calibration.languages_like(text):
                self._has_told = True
                known = ", ".join(dict.fromkeys(self.word_calibration.scripts.values()))
                _log.warning(
                    "'%.40s': this model learned from captions in %s letters; how well it understands others "
                    "depends on what its text tower knew before",
                    text,
                    known,
                )
                return

    def embed_attributes(
        self, rows: npt.ArrayLike | Sequence[Mapping[str, Any]], *, unknown_words: bool = False
    ) -> Float[np.ndarray, "n dim"]:
        """Unit vectors of attributes, one for each class, in the space of the pictures.

        Args:
            rows: for each class a mapping from the columns' names to values, as in the table of the training: numbers,
                0 or 1, words (one text, or a list). Or the numbers themselves `[n, k]` in the order of `attributes`.
                Of a set of words, those that were not trained on are left out.
            unknown_words: whether a row may have a category, or only words, that were not trained on.

        Returns:
            One row per class, float32.

        Raises:
            InvalidInput: no tower for attributes; an attribute that is missing, NaN or of another kind; another number
                of them; or no word that was trained on.
            UnknownName: no such attribute.

        Example:
            >>> from nearkin.encoders.image import ImageTowerConfig
            >>> attributes = Attributes.fit([{"colour": "red", "legs": 4}, {"colour": "blue", "legs": 2}])
            >>> tower = AttributeTower(AttributeTowerConfig(dim=8), attributes)
            >>> image = ImageTower(ImageTowerConfig("conv4", dim=8))
            >>> encoder = Encoder(image, Preprocessing(height=64, width=64), attribute_tower=tower)
            >>> encoder.embed_attributes([{"colour": "red", "legs": 3}]).shape
            (1, 8)
        """
        numbers = self.attribute_numbers(rows, unknown_words=unknown_words)
        assert self.attribute_tower is not None
        return self.embed_scaled_attributes(self.attribute_tower.attributes.scaled(numbers))

    def attribute_numbers(
        self, rows: npt.ArrayLike | Sequence[Mapping[str, Any]], *, unknown_words: bool = False
    ) -> Float[np.ndarray, "n k"]:
        """Attributes as the numbers that `attributes` names, checked; arguments and errors as in `embed_attributes`."""
        if self.attribute_tower is None:
            raise InvalidInput(
                f"encoder {self.fingerprint} embeds no attributes: train one with `nearkin train --attributes TABLE`"
            )
        return self.attribute_tower.attributes.numbers(rows, unknown_words=unknown_words)

    def embed_scaled_attributes(self, scaled: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n dim"]:
        """Unit vectors of attributes that are numbers already, scaled as the tower takes them."""
        with self._inference():
            return self.forward_attributes(torch.from_numpy(scaled).to(self.device)).cpu().numpy()

    def checked_calibration(self) -> Calibration:
        """The calibration, if there is one and it is of these weights.

        Raises:
            InvalidInput: none.
            EncoderMismatch: it was made for other weights, such as those before a further training.
        """
        if self.calibration is None:
            raise InvalidInput(
                f"encoder {self.fingerprint} has no calibration, so that its scores have no threshold yet: make one "
                "with `nearkin calibrate MODEL DATA`, on labelled pictures that it was not trained on"
            )
        self.calibration.check(self.fingerprint)
        return self.calibration

    def checked_word_calibration(self) -> WordCalibration:
        """What to judge words by, if there is something and it is of these weights.

        Raises:
            InvalidInput: there is nothing.
            EncoderMismatch: it was made for other weights, such as those before a further training.
        """
        if self.word_calibration is None:
            raise InvalidInput(
                f"encoder {self.fingerprint} has no calibration of words, so that there is no telling whether anything "
                "matches them: make one with `nearkin calibrate MODEL CAPTIONS`, on pictures that it was not trained on"
            )
        self.word_calibration.check(self.fingerprint)
        return self.word_calibration

    def verify(
        self, a: PictureLike, b: PictureLike, *, far: float | None = None, prior: float | None = None
    ) -> Verdict:
        """Decide whether two pictures show the same person, product, animal, ...

        Args:
            a, b: pictures, as `embed_images` takes them.
            far: false accept rate, 0 < far < 1; 0.001 by default, or the lowest that the calibration supports.
            prior: prior probability that two pictures show the same; the calibration's own by default.

        Returns:
            "same", "different" or "not sure", with score, distances, probability, and the false accept rate of a
            threshold at this score.

        Raises:
            PictureError: a picture cannot be decoded.
            InvalidInput: no calibration, `far` lower than it supports, or `far` or `prior` out of range.
            EncoderMismatch: the calibration was made for other weights.

        Example:
            >>> encoder = Encoder.from_pretrained("runs/faces/model")             # doctest: +SKIP
            >>> encoder.verify("passport.jpg", "visitor.jpg", far=1e-3).decision  # doctest: +SKIP
            'same'
        """
        calibration = self.checked_calibration()
        one, two = self.embed_images([a, b])
        return calibration.verdicts(exact_scores(one, two[None]), far=far, prior=prior)[0]

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the artefact: one folder with weights, configuration, tokenizer, calibration and model card.

        Args:
            folder: made if it is missing; an artefact in it is replaced.

        Returns:
            The folder.
        """
        towers = {"image": self.image.config.to_dict(), "text": self._text_config()}
        config = {
            "nearkin": nearkin.__version__,
            "fingerprint": self.fingerprint,
            **towers,
            "preprocessing": self.preprocessing.to_dict(),
        }
        if (tower := self.attribute_tower) is not None:
            config["attributes"] = {"tower": asdict(tower.config), "columns": tower.attributes.to_dict()}
        return Artefact(
            config,
            self.state_dict(),
            self.tokenizer,
            self.card,
            self.calibration,
            self.training_hashes,
            self.word_calibration,
        ).write(Path(folder))

    @property
    def text_tower(self) -> str | None:
        """Name of the text tower, if there is one."""
        config = self._text_config()
        return None if config is None else str(config.get("tower") or config["cell"])

    def _text_config(self) -> dict[str, Any] | None:
        """What the text tower is made of."""
        config: Any = getattr(self.text, "config", None)
        return None if config is None else asdict(config)

    @staticmethod
    def from_pretrained(path: str | Path) -> "Encoder":
        """The encoder of an artefact.

        Args:
            path: a folder that `save_pretrained` wrote, a run folder (its `model/` is taken), the name of a start
                ("lite0"), a model of another library ("timm:resnet50", "open_clip:NAME/TAG",
                "transformers:owner/name"), or the name of a model of nearkin on the Hugging Face Hub ("owner/name").
                A path that exists is taken before a start of that name.

        Raises:
            ArtefactError: nothing there, or a file is missing or damaged; the message names it.
            MissingDependency: the package of a start is not installed.
        """
        foreign = foreign_model(path)
        if foreign is None and start_named(path) is None:
            path = locate(path)
            foreign = foreign_model(path)
        if foreign is not None:
            return _checked(foreign.load())
        artefact = Artefact.read(path)
        if (kept := foreign_model(artefact.config.get("foreign"))) is not None:
            return _kept(kept.load(), artefact, path)
        config, text, attributes = artefact.config, artefact.config["text"], artefact.config.get("attributes")
        try:
            # A tokenizer that is read from a folder is one of a tower's own.
            own: Any = artefact.tokenizer
            tower, tokenizer = (None, None) if text is None else load_text_tower(text, own)
            encoder = Encoder(
                ImageTower(ImageTowerConfig(**config["image"])),
                Preprocessing.from_dict(config["preprocessing"]),
                tower,
                tokenizer,
                None
                if attributes is None
                else AttributeTower(
                    AttributeTowerConfig(**attributes["tower"]), Attributes.from_dict(attributes["columns"])
                ),
            )
            encoder.load_state_dict(artefact.weights)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ArtefactError(f"'{path}' is damaged, its {CONFIG} and weights do not fit: {error}") from error
        encoder.card = artefact.card
        encoder.calibration, encoder.training_hashes = artefact.calibration, artefact.training_hashes
        encoder.word_calibration = artefact.word_calibration
        return encoder.eval()

    @contextmanager
    def _inference(self) -> Iterator[None]:
        """Evaluation mode without gradients; the previous mode is restored afterwards."""
        training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            self.train(training)

    def _pixel_batches(self, pictures: list[PictureLike], batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and pixels of the pictures; files are decoded by several threads."""
        files = [_as_file(picture) for picture in pictures]
        if all(file is not None for file in files):
            for batch in stream_pixels(
                [file for file in files if file], self.preprocessing, batch_size=batch_size, strict=True
            ):
                yield batch.rows, batch.pixels
            return
        for start in range(0, len(pictures), batch_size):
            some = pictures[start : start + batch_size]
            pixels = np.stack([self.preprocessing.apply(_open(picture)) for picture in some])
            yield np.arange(start, start + len(some)), pixels


def _checked(encoder: Any) -> Encoder:
    assert isinstance(encoder, Encoder)
    return encoder


def _kept(loaded: Any, artefact: Artefact, path: str | Path) -> Encoder:
    """A model of another library, as a folder names it, with what the folder keeps beside it."""
    encoder = _checked(loaded)
    if encoder.fingerprint != artefact.config["fingerprint"]:
        raise ArtefactError(
            f"'{path}' is of {artefact.config['foreign']} as {artefact.config['fingerprint']}, and that model is now "
            f"{encoder.fingerprint}: put the earlier weights back, or index again"
        )
    encoder.card = artefact.card
    encoder.calibration, encoder.training_hashes = artefact.calibration, artefact.training_hashes
    return encoder


def _is_unchanged(hashed: tuple[Tensor, int], tensor: Tensor) -> bool:
    old, version = hashed
    return not tensor.is_inference() and old.data_ptr() == tensor.data_ptr() and tensor._version == version


def _is_one(pictures: Any) -> bool:
    """Whether this is one picture: a path, a Pillow picture, or pixels of two or three dimensions."""
    return not isinstance(pictures, np.ndarray | Tensor) or pictures.ndim <= 3


def _as_file(picture: PictureLike) -> Picture | None:
    if isinstance(picture, Picture):
        return picture
    return Picture(str(Path(picture).resolve())) if isinstance(picture, str | Path) else None


def _open(picture: PictureLike) -> Image.Image:
    if isinstance(picture, Tensor):
        if picture.ndim not in (2, 3):
            raise PictureError(f"tensor of shape {tuple(picture.shape)}: expected [channels, height, width]")
        if picture.is_floating_point():
            if not bool(((picture >= 0) & (picture <= 1)).all()):
                raise PictureError("tensor of floats outside 0..1: scale it, or pass uint8")
            picture = (picture * 255).round().to(torch.uint8)
        array = picture.cpu().numpy()
        return decode(array.transpose(1, 2, 0) if array.ndim == 3 else array)
    return decode(picture)


def _progress(progress: bool | Progress, description: str) -> Any:
    """A context that gives a callback: a bar, the caller's own, or one that does nothing."""
    if progress is True:
        return progress_bar(description)
    return nullcontext(progress or (lambda done, total: None))
