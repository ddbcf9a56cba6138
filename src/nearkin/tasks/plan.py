"""What to judge a model by, where the data alone do not say: protocols, pairs, episodes, the frozen backbone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from nearkin.data.episodes import read_runs
from nearkin.data.items import Items, Picture
from nearkin.data.pairs import Pair, Pairs
from nearkin.data.tables import raise_faults
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower
from nearkin.errors import InvalidInput, UnknownName
from nearkin.evaluation.metrics.few_shot import Episode, FewShot
from nearkin.evaluation.protocols import RUNS, LabelledPairs, Subject

DEFAULT_FEW_SHOT = (FewShot(shots=1), FewShot(shots=5))


@dataclass(frozen=True)
class Plan:
    """What to judge by.

    Args:
        protocols: "retrieval", "verification", "few_shot", "clustering", "cross_modal"; all that the data allow
            if None.
        pairs: a file of pairs for verification (see `nearkin.data.pairs`); all pairs of labelled pictures if None.
        few_shot: the kinds of episodes.
        within: column of groups that the classes of an episode share, such as alphabets.
        runs: fixed episodes (see `nearkin.data.episodes`) in place of random ones.
        frozen: weights of the backbone before it was trained, "pretrained" or a file: a baseline.

    Raises:
        UnknownName: no such protocol.

    Example:
        >>> Plan(protocols=("verification",), pairs="pairs.txt").few_shot[0].ways
        5
    """

    protocols: Sequence[str] | None = None
    pairs: str | Path | None = None
    few_shot: Sequence[FewShot] = DEFAULT_FEW_SHOT
    within: str | None = None
    runs: str | Path | None = None
    frozen: str | None = None

    def __post_init__(self) -> None:
        for name in self.protocols or ():
            if name not in RUNS:
                raise UnknownName("protocol", name, RUNS)

    def wants(self, protocol: str) -> bool:
        """Whether it may be run."""
        return self.protocols is None or protocol in self.protocols

    def subject(self, items: Items) -> Subject:
        """What is known of these pictures.

        Raises:
            SourceError: the file of pairs is at fault, or names a picture that is not among the items.
            UnknownName: no such column of groups.
        """
        labels = items.label_ids()[0]
        subject = Subject(labels, items.is_query, items.is_gallery, few_shot=self.few_shot)
        if self.within is not None:
            groups = [str(group) for group in items.column(self.within)]
            subject = replace(subject, within=np.unique(groups, return_inverse=True)[1])
        if self.pairs is not None and self.wants("verification"):
            subject = replace(subject, pairs=locate_pairs(Pairs(Path(self.pairs).expanduser()), items, labels))
        return subject

    def fixed_episodes(self) -> tuple[list[Picture], list[Episode]]:
        """The pictures of the fixed episodes, and the episodes; none if there are none."""
        if self.runs is None or not self.wants("few_shot"):
            return [], []
        pictures, runs = read_runs(self.runs)
        return pictures, [Episode(run.shown, run.shown_classes, run.asked, run.asked_classes) for run in runs]


def locate_pairs(pairs: Pairs, items: Items, labels: Int[np.ndarray, " n"]) -> LabelledPairs:
    """The pairs of a file as rows of the items; the classes of a pair are the items' labels where both have one.

    Raises:
        SourceError: a row names a picture that the items do not hold, or does not say whether the two are the same.
    """
    by_uri = {uri: row for row, uri in enumerate(items.uris)}
    by_name = {"/".join(Path(uri).parts[-2:]): row for row, uri in enumerate(items.uris)}
    found: list[Pair] = []
    rows, faults = [], []
    for pair in pairs:
        sides = [
            by_uri.get(picture.uri, by_name.get("/".join(Path(picture.uri).parts[-2:]), -1))
            for picture in pair.pictures
        ]
        faults += [
            f"row {pair.row}: no picture '{name}' in {items.source}, or it could not be read"
            for name, side in zip((pair.a, pair.b), sides, strict=True)
            if side < 0
        ]
        if pair.same is None:
            faults.append(f"row {pair.row}: does not say whether the two are the same: wanted a column 'same'")
        found.append(pair)
        rows.append(sides)
    raise_faults(str(pairs.path), faults)
    places = np.array(rows, dtype=np.int64).reshape(-1, 2)
    same = np.array([bool(pair.same) for pair in found])
    folds = None
    if found and all(pair.fold is not None for pair in found):
        folds = np.unique([pair.fold for pair in found], return_inverse=True)[1]
    return LabelledPairs(places, same, _people(places, same, labels, pairs, found), folds)


def _people(
    places: Int[np.ndarray, "p 2"], same: np.ndarray, labels: np.ndarray, pairs: Pairs, found: Sequence[Pair]
) -> Int[np.ndarray, "p 2"]:
    """The two classes of each pair: the labels if they agree with what the file says, else who is the same as whom."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(places):
        raise InvalidInput(f"{pairs.path}: holds no pairs")
    by_label = labels[places]
    if (by_label >= 0).all() and ((by_label[:, 0] == by_label[:, 1]) == same).all():
        return by_label
    links = places[same]
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(len(labels),) * 2)
    people = connected_components(graph, directed=False)[1][places].astype(np.int64)
    wrong = np.flatnonzero((people[:, 0] == people[:, 1]) != same)
    if len(wrong):
        raise InvalidInput(
            f"{pairs.path}: row {found[wrong[0]].row} says different, but other rows make its two pictures the same"
        )
    return people


def frozen_backbone(encoder: Encoder, weights: str) -> Encoder:
    """The encoder's backbone with the weights it had before it was trained, pooled and not projected.

    Args:
        encoder: whose backbone and preprocessing are taken.
        weights: "pretrained", or a file of weights.

    Raises:
        ArtefactError: the weights cannot be had, or do not fit.
    """
    import dataclasses

    from torch import nn

    tower = ImageTower(encoder.image.config, weights)
    tower.projection = nn.Identity()  # type: ignore[assignment]
    return Encoder(tower, dataclasses.replace(encoder.preprocessing)).eval()
