"""Evaluate an encoder on a source: decode, embed, judge."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.embedder import Embedder
from nearkin.encoders.encoder import Encoder
from nearkin.errors import InvalidInput, SourceError, UnknownName
from nearkin.evaluation.leakage import check_data
from nearkin.evaluation.model_comparison import SideBySide
from nearkin.evaluation.protocols import Contestant
from nearkin.evaluation.report import Report
from nearkin.evaluation.runner import judge_several
from nearkin.progress import Progress
from nearkin.tasks.embedded import Embedded, embed_items
from nearkin.tasks.page import write_page
from nearkin.tasks.plan import Plan, frozen_backbone

SPLITS = ("train", "val", "test")
ALL = "all"


def evaluate(
    encoder: Embedder,
    source: str | Path | Items,
    *,
    label: str | None = None,
    captions: Sequence[str] | None = None,
    split: str | None = None,
    plan: Plan = Plan(),  # noqa: B008
    baselines: bool = True,
    seed: int = 0,
    strict: bool = False,
    page: str | Path | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """How good an encoder is on labelled or captioned pictures, by each protocol that they allow.

    Args:
        encoder: what to judge; only one with a text tower is judged on captions.
        source: folder tree, table, `hf://` dataset, or items.
        label: column of the class names.
        captions: columns of texts.
        split: "train", "val", "test" or "all"; by default test if the source has one, else val, else all.
        plan: protocols, pairs, episodes and more; see `Plan`.
        baselines: whether to give raw pixels and chance beside each figure.
        seed: of the bootstrap, of episodes and clusters.
        strict: refuse broken pictures instead of leaving them out.
        page: write the report with plots, mistakes and a map into this HTML file too, which needs no network. The
            report then holds the numbers of the page as well, as `evidence`.
        command: what was typed, to be shown there.
        progress: called with pictures embedded and pictures in all.

    Returns:
        Figures with 95 % intervals, what was counted, and what the reader must know to judge them.

    Raises:
        SourceError: the source cannot be read, the split is empty, no picture can be decoded, or a file of pairs or
            runs is at fault.
        PictureError: strict, and a picture is broken.
        UnknownName: no such split, column or protocol.
        InvalidInput: neither labels nor captions that this encoder can be judged on.

    Example:
        >>> import nearkin
        >>> encoder = nearkin.Encoder.from_pretrained("runs/x/model")  # doctest: +SKIP
        >>> print(nearkin.evaluate(encoder, "photos/").to_markdown())  # doctest: +SKIP
    """
    items, notes = _choose(read_items(source, label=label, captions=captions), split, plan)
    title = f"{encoder.fingerprint} on {items.source}"
    data = _Data(items, notes, plan, baselines, strict)
    embedded, found = data.judge({title: encoder}, seed, progress)
    report = found.reports[0]
    if page is None:
        return report
    facts = {"seed": str(seed), **({"command": command} if command else {})}
    return write_page(Path(page), report, embedded, encoder, facts=facts, baselines=baselines, seed=seed)


def evaluate_several(
    encoders: Mapping[str, Embedder],
    source: str | Path | Items,
    *,
    label: str | None = None,
    captions: Sequence[str] | None = None,
    split: str | None = None,
    plan: Plan = Plan(),  # noqa: B008
    baselines: bool = True,
    seed: int = 0,
    strict: bool = False,
    progress: Progress | None = None,
) -> SideBySide:
    """Several encoders on the same pictures, with paired differences to the first.

    A paired difference is far surer than two intervals let one think: what makes a picture hard is hard for both.

    Args:
        encoders: by name, two or more; captions are judged if all of them embed texts.
        source and the others: as in `evaluate`.

    Raises:
        As `evaluate`.

    Example:
        >>> found = evaluate_several({"a": a, "b": b}, "photos/")          # doctest: +SKIP
        >>> found.differences["b"]["retrieval"]["map@r"].low > 0           # doctest: +SKIP
    """
    items, notes = _choose(read_items(source, label=label, captions=captions), split, plan)
    return _Data(items, notes, plan, baselines, strict).judge(encoders, seed, progress)[1]


class _Data(NamedTuple):
    """The pictures to judge by, and how."""

    items: Items
    notes: list[str]
    plan: Plan
    baselines: bool
    strict: bool

    def judge(
        self, encoders: Mapping[str, Embedder], seed: int, progress: Progress | None
    ) -> tuple[Embedded, SideBySide]:
        """What the first encoder made of the pictures, and what was found."""
        first = next(iter(encoders.values()))
        use_texts = self.items.has_captions and all(one.has_text for one in encoders.values())
        if not self.items.has_labels and not use_texts and self.plan.pairs is None and self.plan.runs is None:
            raise InvalidInput(f"{self.items.source} has {self._what_is_there()}")
        embedded, *more = (
            embed_items(one, self.items, strict=self.strict, progress=progress) for one in encoders.values()
        )
        items = embedded.items
        if any(one.items.uris != items.uris for one in more):
            raise InvalidInput(
                f"{self.items.source}: not all encoders can take the same pictures; the others are broken"
            )
        texts, owners = items.texts() if use_texts else ([], np.empty(0, dtype=np.int64))
        pictures, episodes = self.plan.fixed_episodes()
        subject = replace(self.plan.subject(items), image_of_text=owners, episodes=episodes)
        shown = Items.build(pictures, source=str(self.plan.runs)) if pictures else None

        def contestant(encoder: Embedder, vectors: np.ndarray) -> Contestant:
            return Contestant(
                vectors,
                encoder.embed_texts(texts) if texts else None,
                None if shown is None else embed_items(encoder, shown, strict=True).vectors,
            )

        models = {
            name: contestant(encoder, one.vectors)
            for (name, encoder), one in zip(encoders.items(), (embedded, *more), strict=True)
        }
        checks = check_data(
            items.labels, embedded.hashes, embedded.thumbnails, sketch=getattr(first, "sketch", None)
        ).notes([Path(uri).name for uri in items.uris])
        found = judge_several(
            models,
            subject,
            self._baselines(first, embedded, shown) if self.baselines else {},
            self.plan.protocols,
            asked=self.plan.protocols is not None,
            chance=self.baselines,
            notes=self.notes + checks + _about_texts(texts, owners),
            seed=seed,
        )
        counts = {**found.counts, "skipped": len(embedded.broken)}
        reports = tuple(replace(report, skipped=embedded.broken, counts=counts) for report in found.reports)
        return embedded, replace(found, reports=reports)

    def _baselines(self, encoder: Embedder, embedded: Embedded, shown: Items | None) -> dict[str, Contestant]:
        def of(one: Embedded | None) -> np.ndarray | None:
            return None if one is None else one.thumbnails

        again = None if shown is None else embed_items(encoder, shown, strict=True)
        found = {"raw pixels": Contestant(embedded.thumbnails, None, of(again))}
        if self.plan.frozen is not None:
            if not isinstance(encoder, Encoder):
                raise InvalidInput("a frozen backbone can be had of nearkin's own encoders only")
            frozen = frozen_backbone(encoder, self.plan.frozen)
            vectors = embed_items(frozen, embedded.items, strict=True).vectors
            fixed = None if shown is None else embed_items(frozen, shown, strict=True).vectors
            found["frozen backbone"] = Contestant(vectors, None, fixed)
        return found

    def _what_is_there(self) -> str:
        if self.items.has_captions:
            what = "captions, but this encoder embeds pictures only"
        else:
            what = "neither labels nor captions"
        return f"{what}: name the column with the classes, or use an encoder with texts"


def _choose(items: Items, split: str | None, plan: Plan) -> tuple[Items, list[str]]:
    """The rows to judge, and a note that says which they are; a file of pairs chooses among all of them."""
    if split is not None and split not in (*SPLITS, ALL):
        raise UnknownName("split", split, (*SPLITS, ALL))
    present = [name for name in SPLITS if name in items.splits]
    if split in SPLITS and split not in present:
        found = f"only {', '.join(present)}" if present else "no split column"
        raise SourceError(f"{items.source}: no pictures of split '{split}', {found}: choose another, or 'all'")
    usual = ALL if plan.pairs is not None else next((name for name in ("test", "val") if name in present), ALL)
    chosen = split or usual
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
