"""A gallery's items sorted into groups; what people correct binds all later clusterings.

The last groups and the links lie in files beside the items: `groups.npz` and `group_links.json`. Items are
known by their ids, which are never given twice, so that both outlast a change of encoder.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int

from nearkin.arrow import pa
from nearkin.encoders.embedder import Embedder
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.embed_queries import own_ids
from nearkin.gallery.items.columns import ID, metadata_names
from nearkin.gallery.limits import Calibrated
from nearkin.gallery.writer import GalleryWriter
from nearkin.serialise import json_text
from nearkin.similarity.clustering import DEFAULT, Linking, cluster
from nearkin.similarity.clustering.engine.groups import Clusters, Group, describe
from nearkin.similarity.clustering.engine.links import part_in_two
from nearkin.similarity.clustering.engine.names import keep_names

GROUPS, LINKS = "groups.npz", "group_links.json"
# Members of a group that an item is kept apart from when it is rejected.
_TYPICAL = 10


@dataclass(frozen=True)
class Link:
    """What somebody said of two items.

    Args:
        kind: "together" or "apart".
        first, second: ids of the items.
        why: what was asked for, such as "merge 3 7".
        at: when, UTC, as ISO 8601.
    """

    kind: Literal["together", "apart"]
    first: int
    second: int
    why: str
    at: str


class GroupedGallery(GalleryWriter):
    """Clustering a gallery; see `nearkin.Gallery`. Arguments as `GalleryReader`."""

    def cluster(
        self,
        method: str = DEFAULT,
        *,
        k: int | None = None,
        threshold: float | None = None,
        where: str | None = None,
        write: str | None = None,
        seed: int = 0,
    ) -> Clusters:
        """Sort the items into groups of like ones.

        Groups keep their numbers from one call to the next, so that new items join them. What `together`, `apart`,
        `merge_groups`, `split_group` and `reject_from_group` have said is obeyed.

        Args:
            method: name of a clusterer, see `nearkin.similarity.clustering.CLUSTERERS`.
            k: how many groups; None where the method finds out.
            threshold: score from which on items belong together; None where the method finds out.
            where: only items that pass a filter, as in `search`.
            write: column that gets the number of each item's group, none where it is in no group; made if missing.
            seed: random seed.

        Returns:
            The groups, the largest first, by ids of items.

        Raises:
            InvalidInput: the gallery is empty, or an argument is out of range.
            UnknownName: no such method.
            MissingDependency: the method needs a package that is not installed.

        Example:
            >>> Gallery.open("holiday").cluster().groups[0].size  # doctest: +SKIP
            41
        """
        version = self._newest()
        ids = version.snapshot.ids() if where is None else np.sort(self.select(where=where))
        if not len(ids):
            raise InvalidInput(f"gallery '{self.location}' has no items to cluster: add pictures with `nearkin index`")
        if write is not None:
            self._check_column(write)
        vectors = version.snapshot.vectors() if where is None else version.vectors(ids)
        links = _consistent(self.links())
        rows = {kind: _rows(ids, [link for link in links if link.kind == kind]) for kind in ("together", "apart")}
        found = cluster(
            vectors,
            method,
            k=k,
            threshold=threshold,
            linking=linking_of(self.encoder),
            must=rows["together"],
            cannot=rows["apart"],
            seed=seed,
        )
        with self.location.alone():
            # Read now: another process may have clustered meanwhile.
            before_ids, before_groups, used = self._last_groups()
            found = keep_names(found, _of_items(ids, before_ids, before_groups), used=used)
            self._save_groups(ids, found, max(used, int(found.max(initial=-1))))
        if write is not None:
            self._write_groups(write, ids, found)
        uris = dict(zip(*(version.snapshot.read([ID, "uri"])[name].to_pylist() for name in (ID, "uri")), strict=True))
        return describe(found, vectors, ids, method, tuple(uris[id] for id in ids.tolist()))

    def group_of(self, item: int) -> int | None:
        """The group of an item in the last clustering; None if it was in none.

        Raises:
            InvalidInput: nothing was clustered yet.
        """
        ids, groups, _ = self._clustered()
        found = groups[ids == item]
        return int(found[0]) if len(found) and found[0] >= 0 else None

    def group_members(self, group: int) -> Int[np.ndarray, " size"]:
        """Ids of the items of a group in the last clustering, those that are still there.

        Raises:
            InvalidInput: no such group, or nothing was clustered yet.
        """
        ids, groups, _ = self._clustered()
        members = np.intersect1d(ids[groups == group], self.select()) if group >= 0 else ids[:0]
        if not len(members):
            raise InvalidInput(f"no group {group} in the last clustering: `nearkin cluster {self.location}` lists them")
        return members

    def links(self) -> list[Link]:
        """What was said of pairs of items, the oldest first."""
        content = self.location.read(LINKS)
        if content is None:
            return []
        try:
            return [Link(**entry) for entry in json.loads(content)]
        except (ValueError, TypeError) as error:
            raise ArtefactError(f"'{self.location}/{LINKS}' is damaged ({error}): restore or delete it") from error

    def together(self, first: int, second: int, *, why: str = "together") -> None:
        """Two items belong together: their groups are one from now on. The newest of contradicting links counts."""
        self._add_links([("together", first, second)], why)

    def apart(self, first: int, second: int, *, why: str = "apart") -> None:
        """Two items do not belong together: no group holds both from now on."""
        self._add_links([("apart", first, second)], why)

    def merge_groups(self, first: int, second: int) -> None:
        """Two groups of the last clustering are one from the next on."""
        if first == second:
            raise InvalidInput(f"merge {first} {second}: expected two groups")
        one, two = self._group(first), self._group(second)
        self._add_links([("together", one.medoid, two.medoid)], f"merge {first} {second}")

    def split_group(self, group: int) -> None:
        """A group of the last clustering is not one: it falls in two, or more, from the next on."""
        members = self.group_members(group)
        if len(members) < 2:
            raise InvalidInput(f"split {group}: the group has one item left")
        vectors = self.vectors(members)
        halves = part_in_two(vectors)
        one, two = (
            describe(np.zeros(int(half.sum()), np.int64), vectors[half], members[half], "").groups[0].medoid
            if half.sum() > 1
            else int(members[half][0])
            for half in (halves, ~halves)
        )
        self._add_links([("apart", one, two)], f"split {group}")

    def reject_from_group(self, item: int) -> None:
        """An item does not belong into its group of the last clustering: it stays apart from its most typical members.

        Others that are more like the item than like those may follow it.
        """
        group = self.group_of(item)
        if group is None:
            raise InvalidInput(f"reject {item}: the item is in no group")
        others = [one for one in self._group(group).members.tolist() if one != item]
        if not others:
            raise InvalidInput(f"reject {item}: the item is alone in its group")
        self._add_links([("apart", item, one) for one in others[:_TYPICAL]], f"reject {item} from {group}")

    def undo_link(self) -> tuple[Link, ...]:
        """Take back what was said last; returns it."""
        with self.location.alone():
            links = self.links()
            if not links:
                raise InvalidInput("there is no correction to take back")
            last = tuple(link for link in links if (link.at, link.why) == (links[-1].at, links[-1].why))
            self._save_links(links[: -len(last)])
        return last

    def ids_of(self, picture: str | Path) -> list[int]:
        """Ids of the items of a picture: those at its path, or else copies of its file; none where there is no file."""
        path = Path(picture).absolute()
        if path.is_file():
            return sorted(own_ids([path], self._newest())[0])
        return sorted(self._newest().snapshot.ids_by("uri", [str(path), str(picture)])[str(path)])

    def _group(self, group: int) -> Group:
        members = self.group_members(group)
        if len(members) == 1:
            return Group(group, int(members[0]), 1, 1.0, None, None, members)
        found = describe(np.zeros(len(members), np.int64), self.vectors(members), members, "").groups[0]
        return replace(found, id=group)

    def _add_links(self, links: Sequence[tuple[Literal["together", "apart"], int, int]], why: str) -> None:
        at = datetime.now(UTC).isoformat()
        for _, first, second in links:
            if first == second:
                raise InvalidInput(f"{why}: item {first} twice; expected two items")
            self.get([first, second])
        with self.location.alone():
            self._save_links([*self.links(), *(Link(kind, first, second, why, at) for kind, first, second in links)])

    def _save_links(self, links: Sequence[Link]) -> None:
        self.location.write(LINKS, (json_text([asdict(link) for link in links]) + "\n").encode())

    def _last_groups(self) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"], int]:
        """Ids of the items of the last clustering, their groups, and the highest number that a group ever had."""
        content = self.location.read(GROUPS)
        if content is None:
            return np.empty(0, np.int64), np.empty(0, np.int64), -1
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as held:
                return held["items"], held["groups"], int(held["used"])
        except (ValueError, KeyError, OSError) as error:
            raise ArtefactError(f"'{self.location}/{GROUPS}' is damaged ({error}): delete it") from error

    def _clustered(self) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"], int]:
        held = self._last_groups()
        if not len(held[0]):
            raise InvalidInput(f"gallery '{self.location}' has no groups yet: `nearkin cluster {self.location}`")
        return held

    def _save_groups(self, ids: Int[np.ndarray, " n"], groups: Int[np.ndarray, " n"], used: int) -> None:
        content = io.BytesIO()
        np.savez_compressed(content, items=ids, groups=groups, used=used)
        self.location.write(GROUPS, content.getvalue())

    def _check_column(self, name: str) -> None:
        """Refuse a column that does not hold whole numbers, before the work."""
        schema = self._newest().snapshot.schema
        if name in metadata_names(schema):
            if not pa.types.is_integer(schema.field(name).type):
                raise InvalidInput(
                    f"column '{name}' holds {schema.field(name).type}: groups are whole numbers, take another column"
                )
            return
        self.update({name: 0}, where="1 = 1", create=True, dry_run=True)

    def _write_groups(self, name: str, ids: Int[np.ndarray, " n"], groups: Int[np.ndarray, " n"]) -> None:
        with self._writing("cluster"):
            schema = self._store.snapshot().schema
            kind = schema.field(name).type if name in schema.names else pa.int64()
            self._store.add_columns(pa.schema([(name, kind)]))
            column = pa.array(groups, pa.int64(), mask=groups < 0).cast(kind)
            self._store.change_by_id(pa.table({ID: pa.array(ids, pa.int64()), name: column}))


def linking_of(encoder: Embedder) -> Linking | None:
    """Which neighbours are linked, by the encoder's calibration; None without one, or with one of nearkin 0.1.0."""
    if not isinstance(encoder, Calibrated):
        return None
    try:
        return encoder.checked_calibration().linking
    except InvalidInput:
        return None


def _rows(ids: Int[np.ndarray, " n"], links: Sequence[Link]) -> list[tuple[int, int]]:
    """Links by rows; those of items that are not there are left out."""
    row = {id: position for position, id in enumerate(ids.tolist())} if links else {}
    pairs = [(row.get(link.first), row.get(link.second)) for link in links]
    return [(first, second) for first, second in pairs if first is not None and second is not None]


def _of_items(
    ids: Int[np.ndarray, " n"], held: Int[np.ndarray, " m"], groups: Int[np.ndarray, " m"]
) -> Int[np.ndarray, " n"]:
    """The groups that are held of these items; -1 where there is none."""
    if not len(held):
        return np.full(len(ids), -1, dtype=np.int64)
    order = np.argsort(held)
    place = order[np.minimum(np.searchsorted(held, ids, sorter=order), len(held) - 1)]
    return np.where(held[place] == ids, groups[place], -1)


def _consistent(links: Sequence[Link]) -> list[Link]:
    """The links without those that newer ones contradict."""
    kept: list[Link] = []
    group: dict[int, int] = {}

    def root(item: int) -> int:
        while group.setdefault(item, item) != item:
            item = group[item]
        return item

    apart: list[tuple[int, int]] = []
    for link in reversed(links):
        first, second = root(link.first), root(link.second)
        if link.kind == "apart":
            if first == second:
                continue
            apart.append((link.first, link.second))
        elif first != second:
            if any({root(a), root(b)} == {first, second} for a, b in apart):
                continue
            group[first] = second
        kept.append(link)
    return kept[::-1]
