"""What a protocol is: one way to evaluate embeddings, declared by one file of `nearkin.evaluation.protocols`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nearkin.data.attributes import ClassTable
from nearkin.errors import InvalidInput
from nearkin.intervals.figure import Figure
from nearkin.intervals.paired_samples import Estimate

# Below, an interval says little: chance decides which classes one happened to have.
FEW_CLASSES = 10


@dataclass(frozen=True, eq=False)
class Embeddings:
    """What one model, or one baseline, makes of the pictures and texts.

    Args:
        images: embeddings of the pictures `[n, dim]`.
        texts: embeddings of the texts `[m, dim]`; None if it embeds no texts.
        further: by protocol, embeddings of the pictures that the protocol brings along (`Protocol.pictures`).
        classes: embeddings of what describes the classes `[classes, dim]`, by what it is: "attributes", "words"; in
            the order of `GroundTruth.described`.
    """

    images: Float[np.ndarray, "n dim"]
    texts: Float[np.ndarray, "m dim"] | None = None
    further: Mapping[str, Float[np.ndarray, "k dim"]] = field(default_factory=dict)
    classes: Mapping[str, Float[np.ndarray, "classes dim"]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Described:
    """Classes of which something is known besides pictures: those of a table, in its order.

    Args:
        of_image: for each picture the row of its class `[n]`, -1 for none.
        seen: which classes were trained on `[classes]`.
        trained: which pictures were trained on `[n]`.
        attributes: of each class, scaled `[classes, k]`, if there are any.
        seen_is_known: whether `seen` and `trained` are known, or all taken to be False.
    """

    of_image: Int[np.ndarray, " n"]
    seen: Bool[np.ndarray, " classes"]
    trained: Bool[np.ndarray, " n"]
    attributes: Float[np.ndarray, "classes k"] | None = None
    seen_is_known: bool = True


def _no_columns(name: str) -> Sequence[Any]:
    raise InvalidInput(f"no column '{name}': these pictures have no further columns")


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What is known of the pictures and texts, whoever embeds them.

    Args:
        label_ids: class ids `[n]`, -1 for none.
        is_query, is_gallery: flags `[n]` for retrieval; every picture is both by default.
        image_of_text: for each text the row of its picture `[m]`.
        text_ids: for each text a number `[m]`; texts with the same words have the same one. All differ by default.
        text_languages: of each text its language, as `nearkin.data.languages` says it; none if they are not told apart.
        names: of the pictures: their files or URIs, by which files of pairs find them.
        class_names: of the class ids.
        described: what is known of the classes besides pictures.
        column: gives any other column of the data by its name, one entry per picture.
    """

    label_ids: Int[np.ndarray, " n"] | None = None
    is_query: Bool[np.ndarray, " n"] | None = None
    is_gallery: Bool[np.ndarray, " n"] | None = None
    image_of_text: Int[np.ndarray, " m"] | None = None
    text_ids: Int[np.ndarray, " m"] | None = None
    text_languages: Sequence[str] = ()
    names: Sequence[str] = ()
    class_names: Sequence[str] = ()
    described: Described | None = None
    column: Callable[[str], Sequence[Any]] = _no_columns

    def labelled(self) -> tuple[Bool[np.ndarray, " n"], Int[np.ndarray, " k"]]:
        """Which pictures have a label, and the labels of these.

        Raises:
            InvalidInput: none has.
        """
        if self.label_ids is None or not (self.label_ids >= 0).any():
            raise InvalidInput("there are no labels: name the column with the classes")
        chosen = self.label_ids >= 0
        return chosen, self.label_ids[chosen]

    def groups(self, name: str) -> Int[np.ndarray, " n"]:
        """A column as numbers: equal entries, equal numbers; -1 where there is no entry."""
        entries = ["" if entry is None else str(entry) for entry in self.column(name)]
        numbers = np.unique(entries, return_inverse=True)[1].astype(np.int64)
        return np.where(np.array([not entry for entry in entries], dtype=bool), -1, numbers)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one protocol found.

    Args:
        estimates: the metrics of each of the embeddings, in order; none where they cannot take part.
        chance: computes what random embeddings give, as far as they take part.
        counts: what was counted.
        notes: what the reader must know.
    """

    estimates: Sequence[Mapping[str, Estimate]]
    chance: Callable[[], Mapping[str, Figure]]
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoOptions:
    """For protocols that have none."""


def help_text(text: str) -> dict[str, str]:
    """The metadata of a field of a protocol's options that users may set: what the command line and the docs say."""
    return {"help": text}


def _nothing_to_check(options: Any, truth: GroundTruth) -> None:
    """Most protocols need nothing that could be missing."""


@dataclass(frozen=True, eq=False)
class Protocol:
    """One way to evaluate embeddings. Functions take the options as an object of the class `options`.

    Args:
        summary: what is asked, in a sentence.
        metrics: what the figures are, in words.
        order: protocols stand in reports in the order of this number.
        headline: metrics shown large at the top of a page, the most telling first.
        why_not_unasked: given the ground truth and the options, why it is not run unless it is asked for by name; None
            if it is run.
        run: given the embeddings of several models, the ground truth, the options and a random seed, the outcome.
        options: a frozen dataclass of options, those fields that have a `help_text` are options of the
            command line.
        read: given options that name files, options that hold what the files say.
        check: given options that were read and the ground truth, raises InvalidInput if they do not fit; called before
            anything is embedded.
        pictures: given options that were read, files of further pictures to be embedded.
        classes: given options that were read, a table that describes the classes, to be embedded.
        quick: whether it is cheap enough to be run after every epoch of a training.
    """

    summary: str
    metrics: str
    order: int
    headline: tuple[str, ...]
    why_not_unasked: Callable[[GroundTruth, Any], str | None]
    run: Callable[[Sequence[Embeddings], GroundTruth, Any, int], Outcome]
    options: type = NoOptions
    read: Callable[[Any], Any] = lambda options: options
    check: Callable[[Any, GroundTruth], None] = _nothing_to_check
    pictures: Callable[[Any], Sequence[str]] = lambda options: ()
    classes: Callable[[Any], ClassTable | None] = lambda options: None
    quick: bool = False


def options_of(protocol: Protocol) -> list[Field[Any]]:
    """The options of a protocol that users may set: fields that have a `help_text`."""
    return [one for one in fields(protocol.options) if "help" in one.metadata]


def why_no_classes(truth: GroundTruth) -> str | None:
    """Why the labels do not make two classes, one of them with two pictures; None if they do."""
    ids = np.empty(0, dtype=np.int64) if truth.label_ids is None else truth.label_ids
    labelled, classes = int((ids >= 0).sum()), len(np.unique(ids[ids >= 0]))
    if not labelled:
        return "there are no labels"
    if classes < 2:
        return "there is one class only"
    return "no class has two pictures" if labelled == classes else None
