"""Questions about the tree of a filter. Nodes go by the names of their types: sqlglot is loaded late."""

from collections.abc import Iterator
from typing import Any


def tests_in(tree: Any) -> Iterator[Any]:
    """What AND, OR and NOT join."""
    below = [tree]
    while below:
        node = below.pop()
        if type(node).__name__ in ("And", "Or", "Not", "Paren"):
            below += [node.args[side] for side in ("this", "expression") if node.args.get(side)]
        else:
            yield node


def says_nothing_of_items(test: Any) -> bool:
    """Whether a test is of texts or NULL alone, as `'price' IS NOT NULL` is. `1 = 1` is a known way to say all."""
    kinds = {"text" if getattr(node, "is_string", False) else type(node).__name__ for node in test.walk()}
    return "Column" not in kinds and bool(kinds & {"text", "Null"})


def is_beside_a_path(node: Any) -> bool:
    """Whether a text is compared with, or in one function with, the column of paths."""
    above = node.parent
    while type(above).__name__ == "Paren":
        above = above.parent
    return above is not None and any(
        type(part).__name__ == "Column" and part.name.lower() == "uri" for part in above.walk()
    )
