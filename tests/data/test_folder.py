import os
from pathlib import Path

import pytest

from nearkin.data.folder import read_folder
from nearkin.errors import SourceError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def ways(root: Path, *, label: str | None = None) -> list[str]:
    return [os.path.relpath(uri, root.resolve()) for uri in read_folder(root, label=label).uris]


def test_the_first_folder_is_the_label(tmp_path: Path) -> None:
    items = read_folder(tree(tmp_path, "dog/b.png", "cat/old/a.JPG", "cat/c.pgm", "loose.gif"))
    assert [uri.removeprefix(f"{tmp_path.resolve()}/") for uri in items.uris] == [
        "cat/c.pgm",
        "cat/old/a.JPG",
        "dog/b.png",
        "loose.gif",
    ]
    assert items.labels == ("cat", "cat", "dog", None)
    assert items.metadata == {"folder": ("cat", "cat/old", "dog", "")}
    assert items.splits == (None,) * 4
    assert items.source == str(tmp_path.resolve())


def test_all_folders_are_the_label(tmp_path: Path) -> None:
    items = read_folder(tree(tmp_path, "Greek/alpha/1.png", "Latin/a/1.png", "loose.png"), label="path")
    assert items.labels == ("Greek/alpha", "Latin/a", None)
    assert items.metadata["group"] == ("Greek", "Latin", None)


def test_folders_called_train_and_test_are_splits(tmp_path: Path) -> None:
    items = read_folder(tree(tmp_path, "Train/cat/1.png", "validation/dog/1.png", "test/2.png", "loose.png"))
    assert list(zip(items.splits, items.labels, strict=True)) == [
        ("train", "cat"),
        (None, None),
        ("test", None),
        ("val", "dog"),
    ]
    by_path = read_folder(tmp_path, label="path")
    assert by_path.metadata["group"] == ("cat", None, None, "dog")
    assert by_path.metadata["folder"] == ("Train/cat", "", "test", "validation/dog")


def test_one_more_folder_and_they_are_classes(tmp_path: Path) -> None:
    items = read_folder(tree(tmp_path, "train/1.png", "test/1.png", "plane/1.png"))
    assert items.labels == ("plane", "test", "train")
    assert items.splits == (None,) * 3


def test_hidden_files_and_the_leavings_of_archives_are_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png", ".git/2.png", "__MACOSX/cat/3.png", "cat/._1.png", "cat/notes.txt", "cat/1.png.bak")
    assert ways(tmp_path) == ["cat/1.png"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    tree(tmp_path, "root/cat/1.png", "elsewhere/2.png")
    (tmp_path / "root/dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/cat/up").symlink_to(tmp_path / "root")
    (tmp_path / "elsewhere/cats").symlink_to(tmp_path / "root/cat")
    (tmp_path / "root/gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "root/cat/dog.png").mkdir()
    assert ways(tmp_path / "root") == ["cat/1.png", "dog/2.png", "dog/cats/1.png"]


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png")
    os.mkfifo(tmp_path / "cat/pipe.png")
    assert ways(tmp_path) == ["cat/1.png"]


def test_a_folder_without_pictures_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"found nothing; wanted pictures \(.*\.jpg.*\.png"):
        read_folder(tmp_path)
    with pytest.raises(SourceError, match=r"found only 2 other files, such as b\.doc"):
        read_folder(tree(tmp_path, "cat/a.txt", "b.doc"))


def test_another_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column 'breed': leave the label out"):
        read_folder(tree(tmp_path, "cat/1.png"), label="breed")
