"""pyarrow without pandas, and with all of it as soon as anyone imports pandas."""

import subprocess
import sys
from textwrap import dedent

import pytest


def run(code: str) -> str:
    """What a fresh process prints."""
    start = "import sys\nfrom nearkin.arrow import pa\nimport lance, pyarrow.dataset\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", start + dedent(code)], capture_output=True, text=True, check=True
    ).stdout


def test_arrays_are_made_without_pandas() -> None:
    code = """
        import importlib.util
        assert importlib.util.find_spec("pandas")  # to ask is not to import
        table = pa.table({"n": pa.array([1.5, None]), "s": ["a", "b"]})
        print(table.to_pylist()[0], pa.compute.sum(table["n"]), "pandas" in sys.modules)
    """
    assert run(code).strip() == "{'n': 1.5, 's': 'a'} 1.5 False"


@pytest.mark.parametrize(
    "bring", ["import pandas", "import pandas.api.types", "pa.table({'n': [1]}).to_pandas()", "__import__('pandas')"]
)
def test_when_pandas_is_imported_pyarrow_knows_it(bring: str) -> None:
    code = f"""
        {bring}
        import pandas as pd
        assert pa.array(pd.Series([1.0, None])).null_count == 1  # a series' NaN is null
        assert pa.Table.from_pandas(pd.DataFrame({{"a": [1]}})).num_rows == 1
        assert type(pa.scalar(1, pa.timestamp("ns")).as_py()) is pd.Timestamp
        print(any("Pandas" in type(finder).__name__ for finder in sys.meta_path))
    """
    assert run(code).strip() == "False", "the hook is gone once it has done its work"


def test_pandas_first() -> None:
    code = "import pandas as pd; from nearkin.arrow import pa; print(pa.array(pd.Series([1.0, None])).null_count)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "1"


def test_another_thread_may_import_pandas_meanwhile() -> None:
    code = """
        import threading
        from nearkin.arrow import _DeferredPandas
        finder = _DeferredPandas()
        sys.meta_path.insert(0, finder)  # hidden, as while pyarrow is asked
        try:
            import pandas
        except ModuleNotFoundError as error:
            print(error.name)
        thread = threading.Thread(target=lambda: __import__("pandas"))
        thread.start()
        thread.join()
        print("pandas" in sys.modules)
    """
    assert run(code).split() == ["pandas", "True"]


def test_nanoseconds_bring_pandas_which_alone_holds_them() -> None:
    code = """
        from nearkin.arrow import import_pandas_for
        for kind in pa.timestamp("us"), pa.date64(), pa.string():
            import_pandas_for(pa.schema({"a": kind}))
            assert "pandas" not in sys.modules
        import_pandas_for(pa.schema({"a": pa.list_(pa.timestamp("ns", "UTC"))}))
        print(pa.scalar(1, pa.timestamp("ns")).as_py().nanosecond)
    """
    assert run(code).strip() == "1"
