"""Calibrate an encoder on a source: embed labelled pictures, fit what its scores mean."""

from dataclasses import replace
from pathlib import Path

from nearkin.arrays import check_seed
from nearkin.calibration.decisions import Calibration
from nearkin.calibration.fit import check_enough_classes, fit_calibration
from nearkin.calibration.pair_scores import Classes
from nearkin.calibration.weighting import check_weighting
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.data.splits import ALL, choose_split, of_split
from nearkin.encoders.embedder import Calibrated
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
) -> Calibration:
    """Learn what an encoder's scores mean, from labelled pictures of classes that it was not trained on.

    The encoder keeps the calibration, and `save_pretrained` writes it.

    Args:
        encoder: what to calibrate.
        source: folder tree, table, `hf://` dataset, or items.
        label: column of the class names.
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

    Raises:
        SourceError: the source cannot be read, the split is empty, or no picture can be decoded.
        PictureError: strict, and a picture is broken.
        UnknownName: no such split, column, method, weighting or interval.
        InvalidInput: no labels, too few classes, all scores are equal, or pictures that the encoder was trained on.

    Example:
        >>> import nearkin
        >>> encoder = nearkin.Encoder.from_pretrained("runs/x")               # doctest: +SKIP
        >>> nearkin.calibrate(encoder, "faces/").threshold(far=1e-2).score    # doctest: +SKIP
    """
    check_weighting(weighting)
    check_interval(interval)
    seed = check_seed(seed)
    items = _choose(read_items(source, label=label, path_column=path_column), split)
    if not items.has_labels:
        raise InvalidInput(f"{items.source} has no labels, which a calibration needs: name the column of the classes")
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
