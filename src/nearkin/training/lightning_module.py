"""One training step and one validation, in the form that Lightning runs."""

import copy
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nearkin.data.languages import languages_of
from nearkin.encoders.encoder import Encoder, as_pictures
from nearkin.errors import TrainingError
from nearkin.evaluation.protocol import Described, Embeddings, GroundTruth
from nearkin.evaluation.report import Report
from nearkin.evaluation.runner import quick_settings, run_protocols
from nearkin.evaluation.settings import EvaluationSettings
from nearkin.losses import set_progress, step_sampled, weight_groups
from nearkin.training.augmentation import augmentation
from nearkin.training.batches import Batch, Epoch, InOrder, TrainingData
from nearkin.training.class_means import ClassMeans
from nearkin.training.frozen import Standardised
from nearkin.training.grad_cache import in_chunks
from nearkin.training.layer_rates import stage_rates
from nearkin.training.objective import Objective
from nearkin.training.settings import TrainSettings
from nearkin.training.weight_average import follow


class EmbeddingModule(L.LightningModule):
    """An encoder in training.

    Args:
        encoder: what is trained.
        objective: what training minimises.
        settings: of the run.
        train_data, val_data: the training and the validation pictures; of the latter there may be none.
        start: validation figures of the weights that training starts from; none if these are not judged.
    """

    def __init__(
        self,
        encoder: Encoder,
        objective: Objective,
        settings: TrainSettings,
        train_data: TrainingData,
        val_data: TrainingData,
        start: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.objective = objective
        self.settings = settings
        self.start = dict(start)
        self.train_data, self.val_data = train_data, val_data
        self.augment = augmentation(settings.augmentation, settings.augmentation_options)
        # A part of this module, so that it is saved with it; without gradient, so that no optimiser moves it.
        self.average = copy.deepcopy(encoder).requires_grad_(False) if settings.ema is not None else None
        self.standardised = None if train_data.features is None else Standardised.of(train_data.features[0])
        # What is trained where the network is frozen; the encoder's own projection follows it.
        self.head = None
        if self.standardised is not None:
            self.head = self.standardised.unfolded(encoder.image.projection)
            encoder.image.requires_grad_(False)
        self.class_means = ClassMeans(train_data.classes, encoder.dim) if settings.sampler == "hard" else None
        # Values of this epoch's validation, by metric; none before it, or if the epoch is not validated.
        self.figures: dict[str, float] = {}
        self._embeddings: list[Tensor] = []
        self._steps_per_epoch = len(self._epoch(0))
        self._seconds_before, self._done_before = 0.0, 0.0
        self._started = time.monotonic()

    @property
    def evaluated(self) -> Encoder:
        """The encoder that is validated and kept: the average of weights if there is one, else the one in training."""
        return self.encoder if self.average is None else self.average

    @property
    def _frozen_norms(self) -> list[nn.Module]:
        """Batch norms that go by the statistics they came with: those of a few small classes would be worse."""
        frozen = self.settings.batch_norm or ("trained" if self.settings.weights is None else "frozen")
        if frozen == "trained":
            return []
        return [part for part in self.encoder.image.modules() if isinstance(part, _BatchNorm)]

    @property
    def seconds(self) -> float:
        """Seconds in training so far, those before a resume included."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def validates(self) -> bool:
        """Whether there are pictures to validate on."""
        return len(self.val_data) > 0

    @property
    def remaining(self) -> float:
        """Seconds of training that are still to come, estimated from this call's pace."""
        done = self.done
        if self.settings.minutes is not None:
            return (1 - done) * 60 * self.settings.minutes
        here = done - self._done_before
        return (time.monotonic() - self._started) * (1 - done) / here if here > 0 else 0.0

    @property
    def done(self) -> float:
        """Share of the training that is done, 0 to 1."""
        if self.settings.minutes is not None:
            return min(1.0, self.seconds / (60 * self.settings.minutes))
        assert self.settings.epochs is not None, "without minutes there are epochs"
        return min(1.0, self.global_step / (self.settings.epochs * self._steps_per_epoch))

    # -- data ----------------------------------------------------------------------------------------------------

    def train_dataloader(self) -> Epoch:
        return self._epoch(self.current_epoch)

    def val_dataloader(self) -> InOrder:
        return InOrder(self.val_data, batch_size=2 * self.settings.batch_size)

    def _epoch(self, number: int) -> Epoch:
        settings = self.settings
        seed = int(np.random.SeedSequence([settings.seed, number]).generate_state(1)[0])
        means = self.class_means.sums.cpu().numpy() if self.class_means is not None and number else None
        return Epoch(
            self.train_data,
            batch_size=settings.batch_size,
            per_class=settings.per_class,
            seed=seed,
            class_means=means,
            captions=settings.captions_per_picture,
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    # -- training ------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> torch.optim.Optimizer:
        # Weight decay is for matrices and convolutions, not for biases, norms and the weights of losses.
        decay, rate = self.settings.weight_decay, self.settings.attribute_learning_rate
        tower = self.encoder.attribute_tower
        apart = [] if rate is None or tower is None else list(tower.parameters())
        parts = (
            self.encoder.parameters() if self.head is None else (*self.encoder.parameters(), *self.head.parameters())
        )
        weights = [one for one in parts if one.requires_grad and not any(one is p for p in apart)]
        multiples = stage_rates(self.encoder.image.backbone, self.settings.layer_rate)
        groups: list[dict[str, Any]] = []
        for of_stage in sorted({*multiples.values(), 1.0}, reverse=True):
            own = [p for p in weights if multiples.get(p, 1.0) == of_stage]
            groups += [
                {"params": [p for p in own if p.ndim > 1], "weight_decay": decay, "multiple": of_stage},
                {"params": [p for p in own if p.ndim <= 1], "weight_decay": 0.0, "multiple": of_stage},
            ]
        if rate is not None and apart:
            groups.append({"params": apart, "weight_decay": decay, "multiple": rate / self.settings.learning_rate})
        for multiple, own in weight_groups(self.objective):
            groups.append({"params": own, "weight_decay": 0.0, "multiple": multiple})
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate)

    def on_train_start(self) -> None:
        self._started, self._done_before = time.monotonic(), self.done

    def on_train_epoch_start(self) -> None:
        # Dropout draws from the global generator: the same in this epoch, resumed or not.
        torch.manual_seed(self.settings.seed + 1_000_003 * (self.current_epoch + 1))
        self.figures = {}
        if self.class_means is not None:
            self.class_means.forget()

    @property
    def _learning_rate(self) -> float:
        """The encoder's at this step: it rises, then falls as a cosine."""
        warmup, share = self.settings.warmup, self.done
        if share < warmup:
            factor = (share + 1e-3) / (warmup + 1e-3)
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))
        return self.settings.learning_rate * factor

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Here and not once: whatever sets the module to training sets these too.
        for norm in self._frozen_norms:
            norm.eval()
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        for group in optimizer.param_groups:
            group["lr"] = self._learning_rate * group["multiple"]
        set_progress(self.objective, self.done)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if batch.features is None:
            images = self._in_chunks(self._embed_views, batch.pixels)
        else:
            images = self._embed_features(batch.features)
        self._check_finite(images, "the embeddings", batch_idx)
        texts = None
        if batch.tokens is not None and batch.lengths is not None:
            texts = self._in_chunks(self._embed_texts, batch.tokens, batch.lengths)
        described = None
        if batch.attributes is not None:
            described = self._in_chunks(self._embed_attributes, batch.attributes)
        ids = None if batch.image_ids is None or batch.text_ids is None else (batch.image_ids, batch.text_ids)
        loss = self.objective(images, batch.labels, texts, ids, described, batch.attributes)
        self._check_finite(loss, "the loss", batch_idx)
        if self.class_means is not None and batch.labels is not None:
            self.class_means.add(images, batch.labels)
        self.log("loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(batch))
        return loss

    def _in_chunks(self, embed: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        return in_chunks(embed, *rows, size=self.settings.chunk_size or len(rows[0]), network=self.encoder)

    def _embed_views(self, chunk: int, pixels: Tensor) -> Tensor:
        """Random views, embedded: the same again for the same step and chunk."""
        seed = np.random.SeedSequence([self.settings.seed, self.global_step, 2, chunk]).generate_state(1)[0]
        views = self.augment(as_pictures(pixels), generator=torch.Generator().manual_seed(int(seed)))
        return self.encoder.forward_images(self.encoder.normalise(views))

    def _embed_features(self, features: Tensor) -> Tensor:
        """The head's vectors of a random view of each picture, with some of its features dropped."""
        assert self.head is not None
        assert self.standardised is not None
        views, count = features.shape[:2]
        seed = np.random.SeedSequence([self.settings.seed, self.global_step, 3]).generate_state(1)[0]
        chosen = torch.randint(views, (count,), generator=torch.Generator().manual_seed(int(seed)))
        found = self.standardised(features[chosen, torch.arange(count)])
        found = nn.functional.dropout(found, self.settings.feature_dropout)
        return nn.functional.normalize(self.head(found).float(), dim=1)

    def _embed_texts(self, chunk: int, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self.encoder.forward_texts(tokens, lengths)

    def _embed_attributes(self, chunk: int, attributes: Tensor) -> Tensor:
        return self.encoder.forward_attributes(attributes)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        step_sampled(self.objective, self._learning_rate)
        if self.head is not None and self.standardised is not None:
            self.standardised.fold(self.head, self.encoder.image.projection)
        if self.average is not None and self.settings.ema is not None:
            follow(self.average, self.encoder, decay=self.settings.ema, step=self.global_step)

    def _check_finite(self, values: Tensor, name: str, batch: int) -> None:
        if not torch.isfinite(values).all():
            where = f"step {self.global_step}, epoch {self.current_epoch + 1}, batch {batch + 1}"
            raise TrainingError(f"NaN or infinity in {name} at {where}: lower the learning rate")

    # -- validation ----------------------------------------------------------------------------------------------

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        # In float32, as the saved model embeds: the figures of an epoch are those that its model has later.
        with torch.autocast(self.device.type, enabled=False):
            if batch.features is None:
                images = self.evaluated.forward_images(self.evaluated.normalise(as_pictures(batch.pixels)))
            else:
                images = nn.functional.normalize(self.evaluated.image.projection(batch.features[0]), dim=1)
        self._embeddings.append(images.float().cpu())

    def on_validation_epoch_end(self) -> None:
        images = torch.cat(self._embeddings).numpy()
        self._embeddings.clear()
        if not np.isfinite(images).all():
            where = f"step {self.global_step} (epoch {self.current_epoch + 1})"
            raise TrainingError(f"the embeddings hold NaN after {where}: lower the learning rate")
        trained = self.train_data.items.labels
        self.figures = validation_figures(
            self.evaluated, self.val_data, images, seed=self.settings.seed, trained=trained
        )
        shown = "recall@1" if "recall@1" in self.figures else "text_to_image/recall@5"
        self.log(shown, self.figures[shown], prog_bar=True, batch_size=1)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._seconds_before = checkpoint["seconds"]


def evaluate_pictures(
    encoder: Encoder,
    data: TrainingData,
    images: np.ndarray,
    *,
    title: str,
    settings: EvaluationSettings,
    trained: Collection[str | None] = (),
    baselines: Mapping[str, Embeddings] = MappingProxyType({}),
    notes: Sequence[str] = (),
) -> Report:
    """The report on embedded pictures: searched among each other, by their captions, by their classes' attributes.

    Args:
        encoder: that embedded them.
        data: what they are.
        images: their embeddings.
        title, settings, notes: of the report.
        trained: names of the classes trained on.
        baselines: other embeddings by name, such as raw pixels.
    """
    texts = image_of_text = text_ids = None
    languages: Sequence[str] = ()
    if data.tokenizer is not None:
        words, image_of_text = data.items.texts()
        texts, text_ids = encoder.embed_texts(words), np.unique(words, return_inverse=True)[1]
        languages = languages_of(words, data.items.languages)
    described, classes = None, {}
    if data.attributes is not None and data.label_ids is not None:
        names = data.items.label_ids()[1]
        seen = np.isin(names, sorted(trained))
        described = Described(data.label_ids, seen, np.zeros(len(images), dtype=bool))
        classes = {"attributes": encoder.embed_scaled_attributes(data.attributes)}
    return run_protocols(
        {title: Embeddings(images, texts, classes=classes)},
        GroundTruth(
            data.label_ids,
            image_of_text=image_of_text,
            text_ids=text_ids,
            text_languages=languages,
            described=described,
        ),
        settings,
        baselines=baselines,
        notes=notes,
    ).reports[0]


def validation_figures(
    encoder: Encoder, data: TrainingData, images: np.ndarray, *, seed: int, trained: Collection[str | None]
) -> dict[str, float]:
    """Values of the figures on embedded pictures, without their intervals, by metric; arguments as above."""
    settings = quick_settings(seed=seed, chance=False, quick=True)
    report = evaluate_pictures(encoder, data, images, title="", settings=settings, trained=set(trained))
    return {name: figure.value for figures in report.figures.values() for name, figure in figures.items()}


def score(figures: Mapping[str, float], start: Mapping[str, float] | None = None) -> float:
    """What the best checkpoint is best in: the mean of what is trained.

    That is recall@1 of pictures, the mean of all recalls of captions, and accuracy by attributes.

    Args:
        figures: of the validation.
        start: those of the weights that training started from, if they are judged too. Such weights find nearly
            every picture's nearest neighbour already, so that recall@1 hardly tells models apart: MAP@R counts as
            much as it does. What finds fewer than the start is worse than all that does not.
    """
    pictures = [value for name, value in figures.items() if name == "recall@1" or (start and name == "map@r")]
    captions = [value for name, value in figures.items() if "_text/recall@" in name or "_image/recall@" in name]
    attributes = [value for name, value in figures.items() if name in ("attributes/unseen", "attributes/seen")]
    mean = float(np.mean([np.mean(group) for group in (pictures, captions, attributes) if group]))
    return mean - 1 if start and figures.get("recall@1", 0.0) < start.get("recall@1", 0.0) else mean
