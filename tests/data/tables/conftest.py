"""The folder of pictures that tables of these tests are of."""

from pathlib import Path

import pytest

from tests.data.tables.drawn import encoded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encoded(number))
    return tmp_path
