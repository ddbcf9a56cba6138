"""What to evaluate on: the chosen pictures of a source, and the further ones that protocols bring along."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nearkin.data.attributes import ClassTable
from nearkin.data.items import Items, Picture
from nearkin.data.languages import languages_of
from nearkin.data.splits import ALL, choose_split, of_split
from nearkin.errors import InvalidInput, UnknownName
from nearkin.evaluation.protocol import GroundTruth
from nearkin.evaluation.settings import EvaluationSettings


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """Pictures, and what to evaluate on them by.

    Args:
        items: the pictures of the chosen split.
        settings: with all files read.
        further: by protocol, pictures that it brings along.
        classes: a table that describes the classes, if a protocol brings one along.
        notes: which pictures these are.
        has_split: whether the source tells training pictures from others.
        with_train: whether pictures of its split "train" are among those chosen.
    """

    items: Items
    settings: EvaluationSettings
    further: Mapping[str, Items]
    classes: ClassTable | None
    notes: tuple[str, ...]
    has_split: bool
    with_train: bool

    @property
    def can_do_without_labels(self) -> bool:
        """Whether some protocol runs on these pictures as they are, without texts."""
        truth = ground_truth(self.items)
        return any(
            protocol.why_not_unasked(truth, self.settings.options_for(name)) is None
            for name, protocol in self.settings.chosen().items()
        )

    @staticmethod
    def choose(items: Items, split: str | None, settings: EvaluationSettings) -> "EvaluationData":
        """Read what the options name, choose the pictures, and check that they fit, before anything is embedded.

        Args:
            items: all pictures of a source.
            split: "train", "val", "test" or "all"; by default test if there is one, else val, else all. A file of
                pairs chooses among all of them.
            settings: what to evaluate by.

        Raises:
            UnknownName: no such split, or an option names a column that is not there.
            SourceError: no pictures of this split, or a file of pairs or episodes is at fault.
            InvalidInput: the options do not fit the pictures.
        """
        chosen = settings.chosen()
        options = {name: protocol.read(settings.options_for(name)) for name, protocol in chosen.items()}
        pairs = getattr(options.get("verification"), "pairs", None)
        name_of_split = choose_split(items, split, prefer=() if pairs is not None else ("test", "val"))
        picked = of_split(items, name_of_split)
        truth = ground_truth(picked)
        for name, protocol in chosen.items():
            protocol.check(options[name], truth)
        files = {name: protocol.pictures(options[name]) for name, protocol in chosen.items()}
        further = {
            name: Items.build([Picture(file) for file in several], source=f"the pictures of {name}")
            for name, several in files.items()
            if several
        }
        return EvaluationData(
            picked,
            replace(settings, options=options),
            further,
            next(filter(None, (protocol.classes(options[name]) for name, protocol in chosen.items())), None),
            () if name_of_split == ALL else (f"Split: {name_of_split}.",),
            has_split=any(items.splits),
            with_train="train" in picked.splits,
        )


def ground_truth(items: Items, *, with_texts: bool = False) -> GroundTruth:
    """What is known of these pictures."""
    ids, classes = items.label_ids()
    texts, owners = items.texts() if with_texts else ([], np.empty(0, dtype=np.int64))

    def column(name: str) -> Sequence[Any]:
        try:
            return items.column(name)
        except UnknownName as error:
            if name == "group" and Path(items.source).is_dir():
                raise InvalidInput(
                    f"{items.source}: no column 'group': in a tree of folders it is the first folder of pictures that "
                    "are labelled by their whole path; add --label path"
                ) from error
            raise

    return GroundTruth(
        ids,
        items.is_query,
        items.is_gallery,
        image_of_text=owners,
        text_ids=np.unique(texts, return_inverse=True)[1] if texts else owners,
        text_languages=languages_of(texts, items.languages),
        names=items.uris,
        class_names=classes,
        column=column,
    )
