"""Items: one row per picture, with what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from nearkin.data.cells import class_name, shown, texts
from nearkin.data.names import plain_text
from nearkin.data.picture import Broken, Picture
from nearkin.errors import InvalidInput, PictureError, UnknownName

__all__ = ["Broken", "Items", "Picture", "split_name"]

_SPLIT_SPELLINGS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_SPLIT_OF_SPELLING = {spelling: split for split, spellings in _SPLIT_SPELLINGS.items() for spelling in spellings}


def split_name(text: str) -> str | None:
    """The split that a word means, "train", "val" or "test"; None if it means none.

    Example:
        >>> split_name("Validation"), split_name("cats")
        ('val', None)
    """
    return _SPLIT_OF_SPELLING.get(text.strip().lower())


@dataclass(frozen=True, eq=False)
class Items:
    """Pictures with labels, captions and metadata: what every source becomes. Columns have one entry per picture.

    Args:
        pictures: where the encoded pictures are.
        labels: class name, or None.
        captions: texts that describe the picture; none, one or several.
        splits: "train", "val", "test", or None.
        is_query, is_gallery: roles in evaluation, where the source states them.
        metadata: every further column of the source, by name.
        source: what was read, for messages.
        skipped: entries of the source that are no pictures, and why: pipes, broken links, unreadable folders.
        repeated_captions: captions of the whole source that its pictures already had; they were left out.
        languages: of captions whose column names it, as `caption_ru` does, the language: "ru", by the caption.
    """

    pictures: tuple[Picture, ...]
    labels: tuple[str | None, ...]
    captions: tuple[tuple[str, ...], ...]
    splits: tuple[str | None, ...]
    is_query: Bool[np.ndarray, " n"] | None
    is_gallery: Bool[np.ndarray, " n"] | None
    metadata: Mapping[str, tuple[Any, ...]]
    source: str
    skipped: tuple[Broken, ...] = ()
    repeated_captions: int = 0
    languages: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def uris(self) -> tuple[str, ...]:
        return tuple(picture.uri for picture in self.pictures)

    @property
    def has_labels(self) -> bool:
        return any(label is not None for label in self.labels)

    @property
    def has_captions(self) -> bool:
        return any(self.captions)

    def column(self, name: str) -> tuple[Any, ...]:
        """A column by name: label, split, or any column of the metadata.

        Raises:
            UnknownName: no such column.
        """
        columns = {**self.metadata, "label": self.labels, "split": self.splits}
        if name not in columns:
            raise UnknownName("column", name, columns)
        return columns[name]

    def refuse_skipped(self, strict: bool) -> None:
        """Raise PictureError if the source has entries that were skipped; for `strict`."""
        if strict and self.skipped:
            raise PictureError(str(self.skipped[0]))

    def label_ids(self) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
        """Class ids, -1 where there is no label, and the class names in sorted order."""
        names = tuple(sorted({label for label in self.labels if label is not None}))
        number = {name: position for position, name in enumerate(names)}
        return np.array([-1 if label is None else number[label] for label in self.labels], dtype=np.int64), names

    def texts(self) -> tuple[list[str], Int[np.ndarray, " m"]]:
        """All captions, and for each the row of its picture."""
        counts = [len(several) for several in self.captions]
        return [text for several in self.captions for text in several], np.repeat(np.arange(len(self)), counts)

    def select(self, rows: Sequence[int] | Int[np.ndarray, " m"]) -> "Items":
        """The items of these rows, in this order, without what was skipped."""
        chosen = [int(row) for row in rows]

        def pick(column: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(column[row] for row in chosen)

        return Items(
            pictures=pick(self.pictures),
            labels=pick(self.labels),
            captions=pick(self.captions),
            splits=pick(self.splits),
            is_query=None if self.is_query is None else self.is_query[chosen],
            is_gallery=None if self.is_gallery is None else self.is_gallery[chosen],
            metadata={name: pick(column) for name, column in self.metadata.items()},
            source=self.source,
            repeated_captions=self.repeated_captions,
            languages=self.languages,
        )

    @staticmethod
    def build(
        pictures: Sequence[Picture],
        *,
        labels: Sequence[str | None] | None = None,
        captions: Sequence[str | Sequence[str]] | None = None,
        splits: Sequence[str | None] | None = None,
        is_query: Sequence[bool] | None = None,
        is_gallery: Sequence[bool] | None = None,
        metadata: Mapping[str, Sequence[Any]] | None = None,
        source: str = "items",
        skipped: Sequence[Broken] = (),
        repeated_captions: int = 0,
        languages: Mapping[str, str] | None = None,
    ) -> "Items":
        """Items from columns, with None or nothing where a column is not given.

        All texts become valid Unicode in composed form (NFC), so that "é" is one class however it was typed.

        Args:
            pictures: one per row.
            labels: names of classes; numbers become names (1.0 is "1"), blank ones None.
            captions: for each picture a text, several, or none.
            splits: any usual spelling of train, val and test; None for no split.
            is_query, is_gallery, metadata, source, skipped, repeated_captions, languages: as in `Items`.

        Raises:
            InvalidInput: a column has another length than the pictures, or a label is a list or the like.
            UnknownName: a split is none of train, val, test in any usual spelling.

        Example:
            >>> items = Items.build([Picture("/a.png"), Picture("/b.png")], labels=["cat", "dog"])
            >>> len(items), items.has_labels, items.has_captions
            (2, True, False)
        """
        count = len(pictures)
        columns = {
            "label": labels,
            "caption": captions,
            "split": splits,
            "is_query": is_query,
            "is_gallery": is_gallery,
        }
        for name, column in {**columns, **(metadata or {})}.items():
            if column is not None and len(column) != count:
                raise InvalidInput(f"column '{name}' has {len(column)} entries for {count} pictures")
        return Items(
            pictures=tuple(pictures),
            labels=_labels(labels) if labels is not None else (None,) * count,
            captions=tuple(tuple(texts(entry)) for entry in captions) if captions is not None else ((),) * count,
            splits=tuple(map(_known_split, splits)) if splits is not None else (None,) * count,
            is_query=None if is_query is None else np.asarray(is_query, dtype=bool),
            is_gallery=None if is_gallery is None else np.asarray(is_gallery, dtype=bool),
            metadata={plain_text(name): tuple(map(_plain, column)) for name, column in (metadata or {}).items()},
            source=plain_text(source),
            skipped=tuple(skipped),
            repeated_captions=repeated_captions,
            languages=dict(languages or {}),
        )


def _labels(labels: Sequence[Any]) -> tuple[str | None, ...]:
    """Each different value is looked at once: there are far fewer classes than pictures."""
    names: dict[tuple[type, Any], str | None] = {}
    found = []
    for row, label in enumerate(labels):
        key = (type(label), label)
        try:
            if key not in names:
                names[key] = class_name(label)
        except (TypeError, ValueError) as error:  # A list cannot be looked up at all.
            raise InvalidInput(f"label {row}: expected the name of a class, got {shown(label)}") from error
        found.append(names[key])
    return tuple(found)


def _plain(value: Any) -> Any:
    return plain_text(value) if isinstance(value, str) else value


def _known_split(text: str | None) -> str | None:
    split = None if text is None else split_name(text)
    if text is not None and split is None:
        raise UnknownName("split", text, _SPLIT_OF_SPELLING)
    return split
