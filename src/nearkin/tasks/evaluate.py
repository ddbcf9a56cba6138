"""Evaluate an encoder on a source: decode, embed, judge."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput, SourceError, UnknownName
from nearkin.evaluation.checks import check_data
from nearkin.evaluation.judge import judge
from nearkin.evaluation.report import Report
from nearkin.progress import Progress
from nearkin.tasks.embedded import embed_items
from nearkin.tasks.page import write_page

SPLITS = ("train", "val", "test")
ALL = "all"


def evaluate(
    encoder: Embedder,
    source: str | Path | Items,
    *,
    label: str | None = None,
    captions: Sequence[str] | None = None,
    split: str | None = None,
    baselines: bool = True,
    seed: int = 0,
    strict: bool = False,
    page: str | Path | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """How well the encoder finds pictures of the same class, and pictures and captions by each other.

    Args:
        encoder: what to judge; only one with a text tower is judged on captions.
        source: folder tree, table, `hf://` dataset, or items.
        label: column of the class names.
        captions: columns of texts.
        split: "train", "val", "test" or "all"; by default test if the source has one, else val, else all.
        baselines: whether to give raw pixels and chance beside each figure.
        seed: of the bootstrap.
        strict: refuse broken pictures instead of leaving them out.
        page: write the report with plots, mistakes and a map into this HTML file too, which needs no network. The
            report then holds the numbers of the page as well, as `evidence`.
        command: what was typed, to be shown there.
        progress: called with pictures embedded and pictures in all.

    Returns:
        Figures with 95 % intervals, what was counted, and what the reader must know to judge them.

    Raises:
        SourceError: the source cannot be read, the split is empty, or no picture can be decoded.
        PictureError: strict, and a picture is broken.
        UnknownName: no such split or column.
        InvalidInput: neither labels nor captions that this encoder can be judged on.

    Example:
        >>> import nearkin
        >>> encoder = nearkin.Encoder.from_pretrained("runs/x/model")  # doctest: +SKIP
        >>> print(nearkin.evaluate(encoder, "photos/").to_markdown())  # doctest: +SKIP
    """
    items, notes = _choose(read_items(source, label=label, captions=captions), split)
    use_texts = encoder.has_text and items.has_captions
    if not items.has_labels and not use_texts:
        has = "captions, but this encoder embeds pictures only" if items.has_captions else "neither labels nor captions"
        raise InvalidInput(f"{items.source} has {has}: name the column with the classes, or use an encoder with texts")
    embedded = embed_items(encoder, items, strict=strict, progress=progress)
    items = embedded.items
    checks = check_data(
        items.labels, embedded.hashes, embedded.thumbnails, sketch=getattr(encoder, "sketch", None)
    ).notes([Path(uri).name for uri in items.uris])
    texts, owners = items.texts() if use_texts else ([], np.empty(0, dtype=np.int64))
    report = judge(
        f"{encoder.fingerprint} on {items.source}",
        embedded.vectors,
        label_ids=items.label_ids()[0],
        texts=encoder.embed_texts(texts) if texts else None,
        image_of_text=owners,
        is_query=items.is_query,
        is_gallery=items.is_gallery,
        raw=embedded.thumbnails if baselines else None,
        chance=baselines,
        notes=notes + checks + _about_texts(texts, owners),
        seed=seed,
    )
    report = replace(report, skipped=embedded.broken, counts={**report.counts, "skipped": len(embedded.broken)})
    if page is None:
        return report
    facts = {"seed": str(seed), **({"command": command} if command else {})}
    return write_page(Path(page), report, embedded, encoder, facts=facts, baselines=baselines, seed=seed)


def _choose(items: Items, split: str | None) -> tuple[Items, list[str]]:
    """The rows to judge, and a note that says which they are."""
    if split is not None and split not in (*SPLITS, ALL):
        raise UnknownName("split", split, (*SPLITS, ALL))
    present = [name for name in SPLITS if name in items.splits]
    if split in SPLITS and split not in present:
        found = f"only {', '.join(present)}" if present else "no split column"
        raise SourceError(f"{items.source}: no pictures of split '{split}', {found}: choose another, or 'all'")
    chosen = split or next((name for name in ("test", "val") if name in present), ALL)
    if chosen != ALL:
        return items.select([row for row, name in enumerate(items.splits) if name == chosen]), [f"Split: {chosen}."]
    if "train" in present:
        return items, ["Split: all, training pictures among them; figures of pictures trained on flatter."]
    return items, [] if present else ["Split: all. Pictures that the encoder was trained on would flatter it."]


def _about_texts(texts: Sequence[str], owners: np.ndarray) -> list[str]:
    """A note if several pictures have the same words."""
    pictures: dict[str, set[int]] = {}
    for text, owner in zip(texts, owners.tolist(), strict=True):
        pictures.setdefault(text, set()).add(owner)
    shared = sum(len(pictures[text]) > 1 for text in texts)
    if not shared:
        return []
    return [f"{shared:,} of {len(texts):,} texts are also those of another picture; only the own picture counts."]
