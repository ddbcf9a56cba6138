"""Any sequence of operations leaves what a plain dictionary with numpy vectors would hold."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nearkin.arrays import unit
from nearkin.data.items import Items, Picture
from nearkin.errors import InvalidInput
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.items.store import Store
from tests.fakes import FakeEncoder

NAMES = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=6, unique=True)
LABELS = st.sampled_from([None, "x", "y", "it's"])
DIM = 4


def vector(number: int) -> np.ndarray:
    return unit(np.random.default_rng(number).standard_normal(DIM).astype(np.float32))


class GalleryMachine(RuleBasedStateMachine):
    """`rows`: what the gallery should hold, by uri."""

    @initialize()
    def create(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.gallery = Gallery.create(Path(self.folder.name, "gallery"), FakeEncoder(dim=DIM))
        self.rows: dict[str, dict[str, Any]] = {}
        self.given: set[int] = set()

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(names=NAMES, label=LABELS, start=st.integers(0, 5))
    def add(self, names: list[str], label: str | None, start: int) -> None:
        numbers = range(start, start + len(names))
        items = Items.build([Picture(name) for name in names], labels=[label] * len(names))
        summary = self.gallery.add_vectors(items, np.stack([vector(number) for number in numbers]))
        assert summary.added == sum(name not in self.rows for name in names)
        for name, number in zip(names, numbers, strict=True):
            # A source without any label says nothing of labels, and what was set by hand stays.
            old = self.rows.get(name, {"id": None, "label": None, "price": None, "by_hand": False})
            stays = label is None or old["by_hand"]
            self.rows[name] = {**old, "number": number, "label": old["label"] if stays else label}
        for item in self.gallery.get(self.gallery.search(vector(0), k=100).ids):
            row = self.rows[item.uri]
            if row["id"] is None:
                assert item.id not in self.given
                self.given.add(item.id)
                row["id"] = item.id

    @rule(names=NAMES)
    def delete(self, names: list[str]) -> None:
        gone = [self.rows.pop(name)["id"] for name in names if name in self.rows]
        assert self.gallery.delete(gone) == len(gone)

    @rule(label=LABELS.filter(bool))
    def delete_where(self, label: str) -> None:
        quoted = label.replace("'", "''")
        kept = {name: row for name, row in self.rows.items() if row["label"] != label}
        assert self.gallery.delete(where=f"label = '{quoted}'") == len(self.rows) - len(kept)
        self.rows = kept

    @rule(label=LABELS, price=st.one_of(st.none(), st.integers(-3, 3)))
    def update(self, label: str | None, price: int | None) -> None:
        create = "price" not in self.gallery.columns
        if create and price is None:
            return
        chosen = [row for row in self.rows.values() if row["label"] == "x"]
        changed = self.gallery.update({"label": label, "price": price}, where="label = 'x'", create=create)
        assert changed == len(chosen)
        for row in chosen:
            row |= {"label": label, "price": price, "by_hand": True}

    @rule()
    def reopen(self) -> None:
        self.gallery = Gallery.open(self.gallery.path)

    @rule()
    def compact(self) -> None:
        store = Store(str(self.gallery.path / "items.lance"))
        store._dataset.optimize.compact_files(target_rows_per_fragment=100)

    @precondition(lambda self: self.rows)
    @rule(number=st.integers(0, 12), k=st.integers(1, 12), label=LABELS, offset=st.integers(0, 3))
    def search(self, number: int, k: int, label: str | None, offset: int) -> None:
        where = "label IS NULL" if label is None else f"label = '{label.replace(chr(39), chr(39) * 2)}'"
        rows = [row for row in self.rows.values() if row["label"] == label]
        scores = {row["id"]: float(vector(row["number"]) @ vector(number)) for row in rows}
        hits = self.gallery.search(vector(number), k=k, where=where, offset=offset)
        best = sorted(scores.values(), reverse=True)[offset : offset + k]
        np.testing.assert_allclose(hits.scores, best, atol=1e-6)
        np.testing.assert_allclose(hits.scores, [scores[id] for id in hits.ids.tolist()], atol=1e-6)
        assert len(set(hits.ids.tolist())) == len(hits)

    @invariant()
    def same(self) -> None:
        assert len(self.gallery) == len(self.rows)
        if not self.rows:
            return
        ids = [row["id"] for row in self.rows.values()]
        items = self.gallery.get(ids)
        assert {item.uri: (item.id, item.label, item.metadata.get("price")) for item in items} == {
            name: (row["id"], row["label"], row["price"]) for name, row in self.rows.items()
        }
        expected = np.stack([vector(row["number"]) for row in self.rows.values()])
        np.testing.assert_allclose(self.gallery.vectors(ids), expected, atol=1e-6)
        gone = self.given - set(ids)
        if gone:
            try:
                self.gallery.get([gone.pop()])
            except InvalidInput:
                return
            raise AssertionError("an item came back")


TestGallery = GalleryMachine.TestCase
TestGallery.settings = settings(max_examples=6, stateful_step_count=15, deadline=None)
