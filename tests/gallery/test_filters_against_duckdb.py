"""Filters drawn at random give the rows that DuckDB gives, or are refused; `benchmarks/fuzz_filters.py` draws more."""

from collections import Counter

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from nearkin.data.names import plain_text
from nearkin.errors import InvalidInput
from tests.gallery.filter_expressions import duckdb_answers, filters, for_duckdb, make_gallery


def test_the_same_rows_or_a_refusal(tmp_path_factory: pytest.TempPathFactory) -> None:
    gallery = make_gallery(tmp_path_factory.mktemp("fuzz") / "gallery")
    snapshot, expected = gallery._newest().snapshot, duckdb_answers(gallery)
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=120, derandomize=True, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(filters())
    def compare(where: str) -> None:
        try:
            found = snapshot.ids_where(where).tolist()
        except InvalidInput:
            outcomes["refused"] += 1
            return
        try:
            truth = expected(for_duckdb(plain_text(where)))
        except duckdb.Error:
            outcomes["DuckDB cannot"] += 1
            return
        outcomes["some rows" if 0 < len(found) < len(snapshot) else "all or none"] += 1
        assert found == truth, where

    compare()
    # Most filters are read, and most of these take some rows and leave some.
    assert outcomes["some rows"] > 40
    assert outcomes["refused"] < 50
