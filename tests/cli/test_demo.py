"""`nearkin demo`, with seconds of training: every step runs, and a second run reuses what is there."""

from pathlib import Path

import pytest

from nearkin.cli import main


# Half a minute of work; on a machine that is busy with other things it has taken five.
@pytest.mark.timeout(900)
def test_demo_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for first in (True, False):
        with pytest.raises(SystemExit) as stopped:
            main(["demo", "--out", str(tmp_path), "--epochs", "1", "--threads", "2"])
        assert not stopped.value.code
        printed = capsys.readouterr()
        assert "text_to_image/recall@10" in printed.out
        assert "chance" in printed.out
        assert [line.split(":")[0].strip() for line in printed.out.splitlines()[-4:-2]] == ["кошка", "red heart"]
        assert ("Training a CNN and a GRU" in printed.err) == first
        assert (" 0 added" in printed.err) != first
        assert str(tmp_path / "hits.png") in printed.err
    assert (tmp_path / "hits.png").stat().st_size > 10_000
