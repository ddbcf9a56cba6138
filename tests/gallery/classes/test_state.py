"""What counts after all events, against a slow twin that replays them one by one, as the issue words it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearkin.errors import InvalidInput, UnknownName
from nearkin.gallery.classes.events import LIGHT, SCHEMA
from nearkin.gallery.classes.names import name_key
from nearkin.gallery.classes.state import ClassState, extended, fold

NAMES = ("Anna", "Bob", "anna", "Carla")


def log_of(*events: dict[str, Any]) -> pa.Table:
    rows = []
    for number, event in enumerate(events, start=1):
        row = {"number": number, "change": number, "at": datetime(2026, 1, 1, tzinfo=UTC), **event}
        if row.get("class"):
            row["key"] = name_key(row["class"])
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=pa.schema([SCHEMA.field(name) for name in LIGHT]))


def enroll(name: str, content: str, **more: Any) -> dict[str, Any]:
    return {"action": "enroll", "class": name, **_content(content), **more}


def reject(name: str, content: str, **more: Any) -> dict[str, Any]:
    return {"action": "reject", "class": name, **_content(content), **more}


def ignore(content: str, **more: Any) -> dict[str, Any]:
    return {"action": "ignore", **_content(content), **more}


def _content(content: str) -> dict[str, Any]:
    return {"kind": "picture", "content_hash": content, "payload_key": content}


def move(action: str, name: str, to: str | None = None) -> dict[str, Any]:
    return {"action": action, "class": name, "to": to}


def undo(change: int) -> dict[str, Any]:
    return {"action": "undo", "event": change}


def members(state: ClassState) -> dict[str, set[str]]:
    contents = np.array(state.column("content_hash").to_pylist(), dtype=object)
    return {name: set(contents[(state.classes == id) & state.positive].tolist()) for id, name in enumerate(state.names)}


def rejected(state: ClassState) -> set[tuple[str, str]]:
    contents = state.column("content_hash").to_pylist()
    return {(state.names[state.classes[row]], contents[row]) for row in np.flatnonzero(state.rejected)}


def strangers(state: ClassState) -> set[str]:
    contents = state.column("content_hash").to_pylist()
    return {contents[row] for row in np.flatnonzero(state.strangers)}


def test_nothing() -> None:
    state = fold(log_of())
    assert state.names == ()
    assert len(state.rows) == 0
    with pytest.raises(InvalidInput, match="no class is enrolled yet"):
        state.class_id("Anna")


def test_names_that_are_equal_but_for_their_spelling_are_one_class() -> None:
    state = fold(log_of(enroll("Anna", "a"), enroll(" ANNA", "b")))
    assert members(state) == {"Anna": {"a", "b"}}
    assert state.class_id("aNNa ") == 0
    with pytest.raises(UnknownName, match="unknown class 'Ana': did you mean Anna"):
        state.class_id("Ana")


def test_the_last_word_on_a_picture_counts() -> None:
    events = [enroll("Anna", "a"), enroll("Anna", "b"), reject("Anna", "a")]
    state = fold(log_of(*events))
    assert members(state) == {"Anna": {"b"}}
    assert rejected(state) == {("Anna", "a")}
    state = fold(log_of(*events, enroll("Anna", "a")))
    assert members(state) == {"Anna": {"a", "b"}}
    assert rejected(state) == set()


def test_a_class_whose_examples_were_all_rejected_is_still_a_class() -> None:
    state = fold(log_of(enroll("Anna", "a"), reject("Anna", "a")))
    assert state.names == ("Anna",)
    assert state.sizes().tolist() == [0]


def test_what_is_ignored_is_of_no_class_until_it_is_enrolled_again() -> None:
    events = [enroll("Anna", "a"), enroll("Bob", "a"), enroll("Bob", "b"), ignore("a")]
    state = fold(log_of(*events))
    assert members(state) == {"Anna": set(), "Bob": {"b"}}
    assert strangers(state) == {"a"}
    state = fold(log_of(*events, enroll("Bob", "a")))
    assert members(state) == {"Anna": set(), "Bob": {"a", "b"}}
    assert strangers(state) == set()


def test_forget_takes_the_examples_and_leaves_what_was_rejected() -> None:
    events = [enroll("Anna", "a"), enroll("Bob", "b"), reject("Anna", "c"), move("forget", "Anna")]
    assert members(fold(log_of(*events))) == {"Bob": {"b"}}
    state = fold(log_of(*events, enroll("anna", "d")))
    assert members(state) == {"Bob": {"b"}, "anna": {"d"}}
    assert rejected(state) == {("anna", "c")}


def test_rename_and_merge() -> None:
    events = [enroll("Anna", "a"), reject("Anna", "x"), enroll("Bob", "b"), move("rename", "Anna", "Anne")]
    state = fold(log_of(*events))
    assert members(state) == {"Anne": {"a"}, "Bob": {"b"}}
    state = fold(log_of(*events, enroll("Anna", "new"), move("merge", "Bob", "Anne")))
    assert members(state) == {"Anne": {"a", "b"}, "Anna": {"new"}}
    assert rejected(state) == {("Anne", "x")}


def test_merging_lets_an_example_count_that_was_rejected_before() -> None:
    """Somebody said that Bob's picture is not Anna; then both turn out to be one."""
    state = fold(log_of(enroll("Anna", "a"), reject("Anna", "b"), enroll("Bob", "b"), move("merge", "Bob", "Anna")))
    assert members(state) == {"Anna": {"a", "b"}}
    assert rejected(state) == set()


def test_a_new_spelling() -> None:
    state = fold(log_of(enroll("anna", "a"), move("rename", "anna", "ANNA"), enroll("Anna", "b")))
    assert members(state) == {"ANNA": {"a", "b"}}


def test_undo_takes_back_a_whole_call_and_can_be_undone() -> None:
    events = [enroll("Anna", "a"), enroll("Anna", "b", change=1), enroll("Bob", "c"), undo(1)]
    assert members(fold(log_of(*events))) == {"Bob": {"c"}}
    assert members(fold(log_of(*events, undo(4)))) == {"Anna": {"a", "b"}, "Bob": {"c"}}
    assert members(fold(log_of(*events, undo(4), undo(5)))) == {"Bob": {"c"}}


def test_undo_of_a_rename_after_more_was_said() -> None:
    events = [enroll("Anna", "a"), move("rename", "Anna", "Anne"), enroll("Anne", "b"), undo(2)]
    assert members(fold(log_of(*events))) == {"Anna": {"a"}, "Anne": {"b"}}


def test_one_picture_enrolled_twice_counts_once() -> None:
    """As by two processes at once."""
    assert fold(log_of(enroll("Anna", "a"), enroll("Anna", "a"))).sizes().tolist() == [1]


def slow(events: list[dict[str, Any]]) -> tuple[dict[str, set[str]], set[tuple[str, str]], set[str]]:
    """By keys of names: examples, rejected pictures, strangers."""
    cancelled: set[int] = set()
    for number in range(len(events), 0, -1):
        if events[number - 1]["action"] == "undo" and number not in cancelled:
            cancelled.add(events[number - 1]["event"])
    # One entry for each word said, with the name that it is of by now; None once it is forgotten.
    enrolled: list[list[Any]] = []
    said: list[list[Any]] = []
    ignored: list[tuple[int, str]] = []
    for number, event in enumerate(events, start=1):
        if number in cancelled:
            continue
        key = name_key(event.get("class") or "")
        if event["action"] == "enroll":
            enrolled.append([number, key, event["content_hash"]])
        elif event["action"] == "reject":
            said.append([number, key, event["content_hash"]])
        elif event["action"] == "ignore":
            ignored.append((number, event["content_hash"]))
        elif event["action"] == "forget":
            for entry in enrolled:
                entry[1] = None if entry[1] == key else entry[1]
        elif event["action"] in ("rename", "merge"):
            for entry in [*enrolled, *said]:
                entry[1] = name_key(event["to"]) if entry[1] == key else entry[1]
    enrolled = [entry for entry in enrolled if entry[1] is not None]
    classes = {key for _, key, _ in enrolled}
    found: dict[str, set[str]] = {key: set() for key in classes}
    for number, key, content in enrolled:
        later = [n for n, k, c in said if (k, c) == (key, content)] + [n for n, c in ignored if c == content]
        if all(number > other for other in later):
            found[key].add(content)
    no = {
        (key, content)
        for number, key, content in said
        if key in classes and all(number > n for n, k, c in enrolled if (k, c) == (key, content))
    }
    nobody = {content for number, content in ignored if all(number > n for n, _, c in enrolled if c == content)}
    return found, no, nobody


NAMED, CONTENT = st.sampled_from(NAMES), st.sampled_from("abcd")
EVENT = st.one_of(
    st.builds(enroll, NAMED, CONTENT),
    st.builds(reject, NAMED, CONTENT),
    st.builds(ignore, CONTENT),
    st.builds(move, st.just("forget"), NAMED),
    st.builds(move, st.sampled_from(["rename", "merge"]), NAMED, NAMED),
    st.builds(undo, st.integers(1, 20)),
)


def of_the_past(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what undoes something that was not said yet."""
    kept: list[dict[str, Any]] = []
    for event in events:
        if event.get("event", 0) <= len(kept):
            kept.append(event)
    return kept


@given(st.lists(EVENT, max_size=20))
@settings(max_examples=400, deadline=None)
def test_as_the_slow_twin(events: list[dict[str, Any]]) -> None:
    events = of_the_past(events)
    state = fold(log_of(*events))
    found, no, nobody = slow(events)
    assert {name_key(name): some for name, some in members(state).items()} == found
    assert {(name_key(name), content) for name, content in rejected(state)} == no
    assert strangers(state) == nobody


@given(st.lists(EVENT, max_size=12), st.lists(st.builds(enroll, NAMED, CONTENT), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_further_enrolments_as_all_anew(events: list[dict[str, Any]], more: list[dict[str, Any]]) -> None:
    events = of_the_past(events)
    before, log = fold(log_of(*events)), log_of(*events, *more)
    grown, anew = extended(before, log), fold(log)
    assert grown.names == anew.names
    assert grown.ids == anew.ids
    for array in ("rows", "classes", "positive"):
        assert getattr(grown, array).tolist() == getattr(anew, array).tolist()
    owners = [{code: key for key, code in state.known.items()} for state in (grown, anew)]
    named = [
        [keys.get(code) for code in state.owners.tolist()] for keys, state in zip(owners, (grown, anew), strict=True)
    ]
    assert named[0] == named[1]
