"""Outputs are checked before the work, and files are whole or absent."""

import os
from pathlib import Path

import pytest

from nearkin.errors import InvalidInput
from nearkin.files import cache_root, check_output, check_output_folder, write_whole, written_whole


def test_a_missing_folder_is_made_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    path = check_output(tmp_path / "new" / "deep" / "out.html", "--report", suffixes=(".html",))
    assert path.parent.is_dir()
    assert list(path.parent.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out.html").write_text("old")
    check_output(tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text() == "old"


@pytest.mark.parametrize("name", ["", "sub/", "no/"])
def test_a_folder_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(InvalidInput, match=r"--out '.*' is a folder: expected the name of a file, such as .*out\.html"):
        check_output(f"{tmp_path}/{name}", "--out", suffixes=(".html",))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    for path in ("a.txt", "a.txt/sub", "a.txt/sub/sub"):
        with pytest.raises(InvalidInput, match=r"--out: '.*a\.txt' is a file"):
            check_output_folder(tmp_path / path, "--out")
    with pytest.raises(InvalidInput, match=r"is a file"):
        check_output(tmp_path / "a.txt" / "out.html", "--report")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"--sheet .*: expected a name that ends in \.png or \.jpg"):
        check_output(tmp_path / "out.gif", "--sheet", suffixes=(".png", ".jpg"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_write_protected(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidInput, match=r"cannot write into"):
        check_output(tmp_path / "a.txt")
    tmp_path.chmod(0o700)


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"

    def half() -> None:
        with written_whole(path, "w") as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert list(tmp_path.iterdir()) == []
    write_whole(path, "old")
    with pytest.raises(RuntimeError):
        half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_the_mode_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_whole(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_directly() -> None:
    check_output("/dev/null")
    write_whole("/dev/null", "gone")
    assert not Path("/dev/null").is_file()


def test_names_that_are_no_utf8_are_written_as_they_came(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "a\udcff")
    assert (tmp_path / "a.txt").read_bytes() == b"a\xff"


def test_one_root_of_all_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEARKIN_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("NEARKIN_CACHE")
    assert cache_root() == Path.home() / ".cache/nearkin"
