"""pyarrow, without pandas until somebody imports pandas.

pyarrow imports pandas, where it is installed, as soon as the first array is made, only to ask whether the values are a
pandas series; that takes a second and 90 MB. It asks once. So it is asked here, while `import pandas` fails for this
one thread, and takes it that there is no pandas. When anyone imports pandas later, pyarrow is told at once, and from
then on behaves as it always does. Nothing else of either package is touched, and no private name is used.

Modules that make arrays, or import what makes some, take `pa` from here.
"""

import sys
from contextlib import suppress
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType
from typing import Any

import pyarrow as pa

PANDAS = "pandas"


class _DeferredPandas(MetaPathFinder):
    """Hides pandas from the thread that made it while `hidden`; later tells pyarrow when pandas was imported."""

    def __init__(self) -> None:
        self.hidden = True
        self._thread = get_ident()

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != PANDAS:
            return None
        if self.hidden and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{PANDAS} is not imported by pyarrow's first array", name=PANDAS)
        others = (finder for finder in sys.meta_path if not isinstance(finder, _DeferredPandas))
        spec = next((found for one in others if (found := one.find_spec(fullname, path, target))), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_tell(module: ModuleType) -> None:
                run(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                _tell_pyarrow()

            spec.loader.exec_module = run_and_tell  # type: ignore[method-assign]
        return spec


def _tell_pyarrow() -> None:
    """What needs pandas makes pyarrow look for it again."""
    pa.nulls(0).to_pandas()


def defer_pandas() -> None:
    """Keep pyarrow from importing pandas before someone else does. No effect where pandas is imported already."""
    if PANDAS in sys.modules or any(isinstance(finder, _DeferredPandas) for finder in sys.meta_path):
        return
    finder = _DeferredPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([])
    finally:
        finder.hidden = False


def import_pandas_for(schema: pa.Schema) -> None:
    """Import pandas if values of these columns need it: only its Timestamp holds nanoseconds.

    Example:
        >>> import_pandas_for(pa.schema({"price": pa.float64(), "day": pa.date32()}))
    """
    if any("[ns" in str(field.type) for field in schema):
        with suppress(ImportError):
            import_module(PANDAS)


defer_pandas()

__all__ = ["defer_pandas", "import_pandas_for", "pa"]
