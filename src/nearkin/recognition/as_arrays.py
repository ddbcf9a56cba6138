"""What was made of examples as arrays by name and back, as `np.savez` takes them: no objects, and nothing that runs."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import numpy as np

T = TypeVar("T")


def to_arrays(value: Any) -> dict[str, np.ndarray]:
    """The fields of a dataclass as arrays; those of a dataclass in it as `field.inner`. What is None is left out.

    Args:
        value: of arrays, numbers, tuples of text, mappings from integers to arrays or numbers, and such dataclasses.
    """
    found: dict[str, np.ndarray] = {}
    for field in fields(value):
        one = getattr(value, field.name)
        if is_dataclass(one):
            found |= {f"{field.name}.{name}": array for name, array in to_arrays(one).items()}
        elif isinstance(one, Mapping):
            found |= {f"{field.name}.{int(key)}": np.asarray(each) for key, each in one.items()}
        elif one is not None:
            found[field.name] = np.asarray(one, dtype=str if isinstance(one, tuple) else None)
    return found


def from_arrays(kind: type[T], arrays: Mapping[str, np.ndarray], **kinds: type) -> T:
    """A dataclass from what `to_arrays` gives.

    Args:
        kind: the dataclass.
        arrays: by name.
        kinds: dataclasses of fields whose type does not say which.

    Raises:
        KeyError: an array is missing.

    Example:
        >>> from nearkin.recognition.space import Space
        >>> space = Space(np.zeros(2), same=0.5, dim=2.0, weights={1: 0.25})
        >>> from_arrays(Space, to_arrays(space)).weights
        {1: 0.25}
    """
    found: dict[str, Any] = {}
    hints: dict[str, Any] = {**_hints(kind), **kinds}  # type: ignore[arg-type]
    for name, hint in hints.items():
        inner = {each.removeprefix(f"{name}."): array for each, array in arrays.items() if each.startswith(f"{name}.")}
        if isinstance(hint, UnionType):
            if name not in arrays and not inner:
                found[name] = None
                continue
            hint = get_args(hint)[0]
        if is_dataclass(hint):
            found[name] = from_arrays(cast(type, hint), inner)
        elif get_origin(hint) is Mapping:
            found[name] = {int(key): _plain(array) for key, array in inner.items()}
        elif get_origin(hint) is tuple:
            found[name] = tuple(arrays[name].tolist())
        else:
            found[name] = _plain(arrays[name])
    return kind(**found)


def _plain(array: np.ndarray) -> Any:
    return array if array.ndim else array.item()


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
