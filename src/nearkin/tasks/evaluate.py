"""Evaluate encoders on a source: decode, embed, run the protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from jaxtyping import Int

from nearkin.arrays import check_seed
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.device import check_device, to_device
from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput, UnknownName
from nearkin.evaluation.leakage import Checks, check_data
from nearkin.evaluation.model_comparison import ModelComparison
from nearkin.evaluation.protocol import Embeddings
from nearkin.evaluation.report import Report
from nearkin.evaluation.runner import run_protocols
from nearkin.evaluation.settings import EvaluationSettings, option_names, protocol_options
from nearkin.files import check_output
from nearkin.progress import Progress
from nearkin.tasks.classes import describe, embed_classes
from nearkin.tasks.embedded import Embedded, embed_items, short_names
from nearkin.tasks.evaluation_data import EvaluationData, ground_truth
from nearkin.tasks.frozen_backbone import frozen_backbone
from nearkin.tasks.page import write_page

Model = Embedder | str | Path


@dataclass(frozen=True)
class EvaluateSettings:
    """Settings of an evaluation.

    Args:
        label: column of the class names; "path" for the whole folder of a tree.
        captions: columns of texts.
        path_column: column of the pictures' files, as in `read_items`.
        split: "train", "val", "test" or "all"; by default test if the source has one, else val, else all.
        protocols: names, such as "few_shot"; by default all that the data allow.
        frozen: weights of the backbone before training, "pretrained" or a file: one more baseline.
        baselines: whether to give raw pixels and chance beside each figure.
        strict: refuse broken pictures instead of leaving them out.
        whiten: whether each encoder is whitened first, on the pictures that are evaluated, without their labels.
        seed: random seed of intervals, episodes and clusters.
        device: "auto", "cpu" or "cuda".
        options: by protocol, an object of its options.
    """

    label: str | None = None
    captions: Sequence[str] | None = None
    path_column: str | None = None
    split: str | None = None
    protocols: Sequence[str] | None = None
    frozen: str | None = None
    baselines: bool = True
    strict: bool = False
    whiten: bool = False
    seed: int = 0
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(**given: Any) -> "EvaluateSettings":
        """Settings from keyword arguments, among which the options of protocols stand by their own names.

        Raises:
            UnknownName: no such setting.

        Example:
            >>> EvaluateSettings.of(split="val", ways=20).options["few_shot"].ways
            20
        """
        options, own = protocol_options(given)
        known = [one.name for one in fields(EvaluateSettings)]
        for name in own:
            if name not in known:
                raise UnknownName("setting", name, [*known, *option_names()])
        return EvaluateSettings(**{**own, "options": {**options, **own.get("options", {})}})


class PageError(InvalidInput):
    """The page could not be written; `report` is what was computed for it."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


@overload
def evaluate(
    model: Mapping[str, Model], source: str | Path | Items, *, progress: Progress | None = None, **settings: Any
) -> ModelComparison: ...


@overload
def evaluate(
    model: Model,
    source: str | Path | Items,
    *,
    page: str | Path | None = None,
    command: str | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Report: ...


def evaluate(
    model: Model | Mapping[str, Model],
    source: str | Path | Items,
    *,
    page: str | Path | None = None,
    command: str | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Report | ModelComparison:
    """How good an encoder is on labelled or captioned pictures, by each protocol that they allow.

    Args:
        model: an encoder, or the folder of a model or run; or several by name, which are compared with the first by
            paired differences. A paired difference is far more certain than two intervals suggest, since the same
            pictures are hard for both. Captions are evaluated if all encoders embed texts.
        source: folder tree, table, `hf://` dataset, or items.
        page: write the report of a single model with plots, mistakes and a map into this HTML file too, which needs no
            network. The report then holds the numbers of the page as well, as `diagnostics`.
        command: the command line, to be shown there.
        progress: called with pictures embedded and pictures in all.
        settings: those of `EvaluateSettings`, and the options of the protocols by their names on the command line:
            `split="val"`, `protocols=["few_shot"]`, `ways=20`, `pairs="pairs.txt"`, ...

    Returns:
        Figures with 95 % intervals, what was counted, and what the reader must know; for several models their reports
        and the differences.

    Raises:
        SourceError: the source cannot be read, the split is empty, no picture can be decoded, or a file of pairs or
            episodes is at fault.
        ArtefactError: no model in a folder.
        PictureError: strict, and a picture is broken.
        UnknownName: no such split, column, protocol or setting.
        InvalidInput: neither labels nor captions that this encoder can be evaluated on.
        PageError: the page could not be written; the error holds the report.

    Example:
        >>> import nearkin
        >>> print(nearkin.evaluate("runs/x", "photos/").to_markdown())                   # doctest: +SKIP
        >>> both = nearkin.evaluate({"a": "runs/a", "b": "runs/b"}, "photos/")             # doctest: +SKIP
        >>> both.differences["b"]["retrieval"]["map@r"].low > 0                          # doctest: +SKIP
    """
    chosen = EvaluateSettings.of(**settings)
    check_device(chosen.device)
    chosen = replace(chosen, seed=check_seed(chosen.seed))
    if page is not None:
        if isinstance(model, Mapping):
            raise InvalidInput("a page shows one model: evaluate them one by one, or leave the page out")
        page = check_output(page, "--report", suffixes=(".html", ".htm"))
    by = EvaluationSettings(chosen.protocols, options=chosen.options, chance=chosen.baselines, seed=chosen.seed)
    items = read_items(source, label=chosen.label, captions=chosen.captions, path_column=chosen.path_column)
    data = EvaluationData.choose(items, chosen.split, by)

    def loaded(one: Model) -> Embedder:
        encoder = load_encoder(one, chosen.device)
        return _whitened(encoder, data, progress) if chosen.whiten else encoder

    if isinstance(model, Mapping):
        encoders = {name: loaded(one) for name, one in model.items()}
        return _compare(encoders, data, chosen, progress)[1]
    encoder = loaded(model)
    title = f"{encoder.fingerprint} on {data.items.source}"
    embedded, found = _compare({title: encoder}, data, chosen, progress)
    report = found.reports[0]
    if page is None:
        return report
    facts = {"seed": str(chosen.seed), **({"command": command} if command else {})}
    options: dict[str, Any] = {
        "baselines": chosen.baselines,
        "exclude_same": _excluded(data, embedded),
        "seed": chosen.seed,
    }
    try:
        return write_page(page, report, embedded, encoder, facts=facts, **options)
    except OSError as error:
        raise PageError(f"cannot write the report '{page}': {error.strerror or error}", report) from error


def _excluded(data: EvaluationData, embedded: Embedded) -> Int[np.ndarray, " n"] | None:
    """The groups of `--exclude-same`, for the page, where retrieval is evaluated by them."""
    column = getattr(data.settings.options.get("retrieval"), "exclude_same", None)
    return None if column is None else ground_truth(embedded.items).groups(column)


def load_encoder(model: Model, device: str = "auto") -> Embedder:
    """The encoder itself, or that of a folder, on a device."""
    if not isinstance(model, str | Path):
        return model
    from nearkin.encoders.encoder import Encoder

    encoder: Encoder = to_device(Encoder.from_pretrained(model), device)
    return encoder


def _whitened(encoder: Embedder, data: EvaluationData, progress: Progress | None) -> Embedder:
    from nearkin.encoders.encoder import Encoder
    from nearkin.encoders.whitening import whitened

    if not isinstance(encoder, Encoder):
        raise InvalidInput("whitening needs an encoder of nearkin's own: leave --whiten out")
    return whitened(encoder, data.items.pictures, progress=progress)


def _compare(
    encoders: Mapping[str, Embedder], data: EvaluationData, chosen: EvaluateSettings, progress: Progress | None
) -> tuple[Embedded, ModelComparison]:
    """What the first encoder made of the pictures, and what was found."""
    first = next(iter(encoders.values()))
    use_texts = data.items.has_captions and all(one.has_text for one in encoders.values())
    if not data.items.has_labels and not use_texts and not data.can_do_without_labels:
        raise InvalidInput(f"{data.items.source} has {_what_is_there(data.items)}")
    frozen = frozen_backbone(first, chosen.frozen) if chosen.frozen is not None and chosen.baselines else None
    strict = chosen.strict
    embedded, *more = (embed_items(one, data.items, strict=strict, progress=progress) for one in encoders.values())
    items = embedded.items
    if any(one.items.uris != items.uris for one in more):
        raise InvalidInput(f"{items.source}: not all encoders can take the same pictures; the others are broken")
    checks = check_data(
        items.labels, embedded.hashes, embedded.thumbnails, training_hashes=getattr(first, "training_hashes", None)
    )
    truth = ground_truth(items, with_texts=use_texts)
    if data.classes is not None:
        truth = replace(truth, described=describe(data.classes, items.labels, first, checks))
    texts = items.texts()[0] if use_texts else []
    further = {
        name: {protocol: embed_items(one, these, strict=True) for protocol, these in data.further.items()}
        for name, one in encoders.items()
    }
    models = {
        name: Embeddings(
            one.vectors,
            encoder.embed_texts(texts) if texts else None,
            {protocol: these.vectors for protocol, these in further[name].items()},
            {} if data.classes is None else embed_classes(encoder, data.classes, data.settings),
        )
        for (name, encoder), one in zip(encoders.items(), (embedded, *more), strict=True)
    }
    found = run_protocols(
        models,
        truth,
        data.settings,
        baselines=_baselines(embedded, next(iter(further.values())), data, frozen) if chosen.baselines else {},
        notes=[
            *data.notes,
            *_about_training(data, checks),
            *checks.notes(short_names(items.uris)),
            *_about_captions(items, use_texts),
        ],
    )
    counts = {**found.reports[0].counts, "skipped": len(embedded.broken)}
    leakage = checks.to_dict(items.uris)
    reports = tuple(
        replace(report, skipped=embedded.broken, counts=counts, leakage=leakage) for report in found.reports
    )
    return embedded, replace(found, reports=reports)


def _baselines(
    embedded: Embedded, further: Mapping[str, Embedded], data: EvaluationData, frozen: Embedder | None
) -> dict[str, Embeddings]:
    """Raw pixels, and the backbone before training if there is one."""
    raw = {protocol: these.thumbnails for protocol, these in further.items()}
    found = {"raw pixels": Embeddings(embedded.thumbnails, None, raw)}
    if frozen is not None:
        own = {protocol: embed_items(frozen, these, strict=True).vectors for protocol, these in data.further.items()}
        found["frozen backbone"] = Embeddings(embed_items(frozen, embedded.items, strict=True).vectors, None, own)
    return found


def _what_is_there(items: Items) -> str:
    what = "captions, but this encoder embeds pictures only" if items.has_captions else "neither labels nor captions"
    return f"{what}: name the column with the classes, or use an encoder with texts"


def _about_training(data: EvaluationData, checks: Checks) -> list[str]:
    """Whether pictures of the training split make the scores too high, as far as the model knows its own pictures."""
    if checks.known_training and not (checks.seen_classes or checks.seen_pictures or checks.near_seen):
        if data.has_split and not data.with_train:
            return []
        return ["The model was trained on none of these classes and pictures, and on no near copy of the pictures."]
    if not data.with_train:
        return []
    if checks.known_training:
        return ["Pictures of the split 'train' are among these, and the model knows some: the scores are optimistic."]
    return ["Pictures of the split 'train' are among these: if it was trained on them, the scores are optimistic."]


def _about_captions(items: Items, use_texts: bool) -> list[str]:
    """That captions were repeated, where they are evaluated."""
    if not use_texts or not items.repeated_captions:
        return []
    return [f"Captions that stand twice or more on one picture of the source count once: {items.repeated_captions:,}."]
