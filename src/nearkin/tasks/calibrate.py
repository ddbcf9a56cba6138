"""Calibrate an encoder on a source: embed labelled or captioned pictures, fit what its scores mean."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nearkin.arrays import check_seed
from nearkin.calibration.decisions import Calibration
from nearkin.calibration.fit import check_enough_classes, fit_calibration
from nearkin.calibration.pair_scores import Classes
from nearkin.calibration.weighting import check_weighting
from nearkin.calibration.words import WordCalibration, word_calibration
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.data.splits import ALL, choose_split, of_split
from nearkin.encoders.embedder import Calibrated, Embedder
from nearkin.errors import InvalidInput, SourceError
from nearkin.evaluation.leakage import check_data
from nearkin.intervals.figure import check_interval
from nearkin.progress import Progress
from nearkin.tasks.embedded import embed_items, short_names

# Share of pictures that may be training pictures, such as a few copies, before a calibration is refused.
MOST_TRAINED_ON = 0.05


def calibrate(
    encoder: Calibrated,
    source: str | Path | Items,
    *,
    label: str | None = None,
    captions: Sequence[str] | None = None,
    path_column: str | None = None,
    split: str | None = None,
    prior: float = 0.5,
    method: str = "auto",
    weighting: str = "comparisons",
    interval: str = "rate",
    force: bool = False,
    seed: int = 0,
    strict: bool = False,
    progress: Progress | None = None,
) -> Calibration | WordCalibration:
    """Learn what an encoder's scores mean, from labelled or captioned pictures that it was not trained on.

    Labels tell what scores of two pictures mean, captions what those of words mean; with both, both are learnt. The
    encoder keeps the calibrations, and `save_pretrained` writes them.

    Args:
        encoder: what to calibrate.
        source: folder tree, table, `hf://` dataset, or items.
        label: column of the class names.
        captions: columns of texts, as in `read_items`; they count if the encoder embeds texts.
        path_column: column of the picture paths, as in `read_items`.
        split: "train", "val", "test" or "all"; by default val if the source has one, else all that is not train.
        prior: prior probability that two pictures are the same, used where none is given, 0 < prior < 1.
        method: the regression that gives the probabilities: "auto", "logistic" or "isotonic".
        weighting: what error rates count: "comparisons", or "classes" to weight classes equally.
        interval: what 95 % intervals cover: the "rate" over all classes like these, or the rate that
            "another group" of as many classes shows.
        force: calibrate even where more than 5 % of the pictures are ones that the encoder was trained on.
        seed: random seed of the pairs that the regression is fitted to.
        strict: stop at a broken picture instead of skipping it.
        progress: called with the number of pictures embedded, and of all.

    Returns:
        The calibration of pictures; where there are no labels, that of words.

    Raises:
        SourceError: the source cannot be read, the split is empty, or no picture can be decoded.
        PictureError: strict, and a picture is broken.
        UnknownName: no such split, column, method, weighting or interval.
        InvalidInput: neither labels nor captions that count, too few classes or captions, all scores are equal, or
            pictures that the encoder was trained on.

    Example:
        >>> import nearkin
        >>> encoder = nearkin.Encoder.from_pretrained("runs/x")               # doctest: +SKIP
        >>> nearkin.calibrate(encoder, "faces/").threshold(far=1e-2).score    # doctest: +SKIP
    """
    check_weighting(weighting)
    check_interval(interval)
    seed = check_seed(seed)
    items = _choose(read_items(source, label=label, captions=captions, path_column=path_column), split)
    with_words = items.has_captions and encoder.has_text
    if not items.has_labels and not with_words:
        but = ", and this encoder embeds no captions" if items.has_captions else ""
        raise InvalidInput(
            f"{items.source} has no labels, which a calibration needs{but}: name the column of the classes"
        )
    if items.has_labels:
        check_enough_classes(Classes.of(items.label_ids()[0]))
    embedded = embed_items(encoder, items, strict=strict, progress=progress)
    checks = check_data(
        embedded.items.labels, embedded.hashes, embedded.thumbnails, training_hashes=encoder.training_hashes
    )
    if len(checks.seen_pictures) > MOST_TRAINED_ON * checks.pictures and not force:
        raise InvalidInput(
            f"{items.source}: the model was trained on {len(checks.seen_pictures):,} of these {checks.pictures:,} "
            "pictures, so that its scores of them are too high for thresholds: calibrate on other classes, such as "
            "validation.csv in the run folder, or insist with --force (force=True)"
        )
    notes = checks.notes(short_names(embedded.items.uris))
    if embedded.broken:
        notes.append(f"Pictures that could not be read, left out: {len(embedded.broken):,}.")
    if with_words:
        encoder.word_calibration = calibrate_words(encoder, embedded.items, embedded.vectors, seed=seed)
        if not items.has_labels:
            return encoder.word_calibration
    encoder.calibration = fit_calibration(
        embedded.vectors,
        embedded.items.label_ids()[0],
        fingerprint=encoder.fingerprint,
        source=Path(items.source).name,
        prior=prior,
        method=method,
        weighting=weighting,
        interval=interval,
        notes=notes,
        seed=seed,
    )
    return encoder.calibration


def calibrate_words(
    encoder: Embedder, items: Items, vectors: Float[np.ndarray, "n dim"], *, seed: int = 0
) -> WordCalibration:
    """What to judge words by, from captioned pictures and their vectors.

    Raises:
        InvalidInput: too few captions.
    """
    texts, owners = items.texts()
    return word_calibration(
        vectors,
        encoder.embed_texts(texts) if texts else np.empty((0, encoder.dim), dtype=np.float32),
        owners,
        texts,
        fingerprint=encoder.fingerprint,
        languages=items.languages,
        source=Path(items.source).name,
        seed=seed,
    )


def _choose(items: Items, split: str | None) -> Items:
    """The split asked for, else validation, else test, else all that is not for training."""
    chosen = choose_split(items, split, prefer=("val", "test"))
    if split is None and chosen == ALL:
        rows = [row for row, name in enumerate(items.splits) if name is None]
        if not rows:
            raise SourceError(
                f"{items.source}: all pictures are of split 'train': choose 'train' or 'all' to calibrate on them"
            )
        return replace(items.select(rows), skipped=items.skipped)
    return of_split(items, chosen)
