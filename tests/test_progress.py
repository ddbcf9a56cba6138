"""Progress on standard error."""

import pytest

from nearkin import progress
from nearkin.cli.options import _set_quiet
from nearkin.progress import progress_bar


@pytest.mark.parametrize(("quiet", "said"), [(False, "enrolling: 1 of 2, about 0 s left\n"), (True, "")])
def test_lines_unless_quiet(
    quiet: bool, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    _set_quiet(quiet)
    with progress_bar("enrolling") as advance:
        advance(1, 2)
    _set_quiet(False)
    assert capsys.readouterr().err == said
