"""What each test picture scored as a query, kept in a file beside each run: all figures come from these."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nearkin.data.images import Preprocessing
from nearkin.data.items import Items
from nearkin.data.pixel_cache import PixelCache
from nearkin.errors import ArtefactError
from nearkin.evaluation.metrics.retrieval import score_queries
from nearkin.files import written_whole

METRICS = ("recall@1", "recall@5", "map@r")
SCORES = "test.csv"
_BATCH = 256


@dataclass(frozen=True, eq=False)
class Scores:
    """Queries of one test fold.

    Args:
        paths: of the pictures that asked.
        labels: their classes.
        values: metric -> one number in [0, 1] per query.
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    values: dict[str, Float[np.ndarray, " q"]]


def score_pictures(
    items: Items, preprocessing: Preprocessing, embed: Callable[[np.ndarray], Float[np.ndarray, "n dim"]]
) -> Scores:
    """Each picture asks for others of its class among all.

    Args:
        items: labelled pictures; broken ones are left out.
        preprocessing: how a picture becomes pixels.
        embed: pixels, uint8 `[n, height, width, channels]`, to vectors.
    """
    cache = PixelCache.build(items.pictures, preprocessing)
    rows = cache.ok
    batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    vectors = np.concatenate([embed(cache.batch(batch)) for batch in batches])
    items = items.select(rows)
    found = score_queries(
        vectors, items.label_ids()[0], is_query=items.is_query, is_gallery=items.is_gallery, ks=(1, 5)
    )
    asked = items.select(found.queries)
    labels = tuple(str(label) for label in asked.labels)
    return Scores(asked.uris, labels, {metric: found.values[metric] for metric in METRICS})


def write_scores(scores: Scores, path: Path) -> None:
    """Write the table whole: it marks its run as finished."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", *METRICS])
        columns = [[f"{value:.8g}" for value in scores.values[metric]] for metric in METRICS]
        writer.writerows(zip(scores.paths, scores.labels, *columns, strict=True))


def read_scores(path: Path) -> Scores:
    """The table that `write_scores` wrote.

    Raises:
        ArtefactError: it cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        values = {metric: np.array([float(row[metric]) for row in rows]) for metric in METRICS}
        return Scores(tuple(row["path"] for row in rows), tuple(row["label"] for row in rows), values)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"{path} cannot be read as scores ({error}): delete it, its run is then tested again"
        ) from error
