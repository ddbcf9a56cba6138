import os
import socket
from pathlib import Path

import pytest

from nearkin.data.sources.folder import read_folder
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


def test_one_folder_beside_splits_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    items = read_folder(
        tree(tmp_path, "train/cat/1.png", "val/cat/1.png", "test/dog/1.png", "more/a.png", "more/b.png")
    )
    assert list(zip(items.labels, items.splits, strict=True)) == [("dog", "test"), ("cat", "train"), ("cat", "val")]
    assert [str(broken) for broken in items.skipped] == [
        f"{tmp_path.resolve()}/more: 2 pictures beside the folders of splits: left out"
    ]
    assert "left out" in caplog.text


def test_with_all_folders_as_label_a_class_is_one_in_all_splits(tmp_path: Path) -> None:
    items = read_folder(tree(tmp_path, "train/x/1.png", "test/x/1.png", "val/x/1.png", "more/a.png"), label="path")
    assert items.labels == ("x", "x", "x")
    assert items.splits == ("test", "train", "val")


def test_splits_among_more_classes_are_refused_with_a_way_out(tmp_path: Path) -> None:
    tree(tmp_path, "train/1.png", "test/1.png", "plane/1.png", "ship/1.png")
    with pytest.raises(SourceError, match=r"'test', 'train' are called like splits, and 'plane', 'ship' beside"):
        read_folder(tmp_path)
    assert read_folder(tmp_path, label="folder").labels == ("plane", "ship", "test", "train")


def test_a_class_called_like_a_split_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    items = read_folder(tree(tmp_path, "train/1.png", "plane/1.png"))
    assert items.labels == ("plane", "train")
    assert "folder 'train' is taken for a class" in caplog.text


def test_splits_below_the_classes(tmp_path: Path) -> None:
    items = read_folder(tree(tmp_path, "cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png"))
    assert items.labels == ("cat", "cat", "dog", "dog")
    assert items.splits == ("test", "train", "test", "train")
    deep = read_folder(tmp_path, label="path")
    assert deep.labels == items.labels


def test_one_name_of_a_split_below_a_class_is_a_folder_like_others(tmp_path: Path) -> None:
    items = read_folder(tree(tmp_path, "cat/train/1.png", "dog/park/2.png"))
    assert (items.labels, items.splits) == (("cat", "dog"), (None, None))


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
    items = read_folder(tmp_path / "root")
    # A picture goes by its real path, and is in the class of the folder that it really lies in.
    assert [os.path.relpath(uri, tmp_path.resolve()) for uri in items.uris] == ["root/cat/1.png", "elsewhere/2.png"]
    assert items.labels == ("cat", "dog")
    assert {os.path.relpath(broken.uri, tmp_path.resolve()): broken.reason for broken in items.skipped} == {
        "elsewhere/cats": "a link to the folder 'cat', which is read already",
        "root/cat/dog.png": "a folder, not a file",
        "root/cat/up": "a link to the folder '.', which is read already",
        "root/gone.png": "a link that leads nowhere: No such file or directory",
    }


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png")
    os.mkfifo(tmp_path / "cat/pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "cat/socket.png"))
    (tmp_path / "cat/self.png").symlink_to("self.png")
    (tmp_path / "cat/to_pipe.png").symlink_to("pipe.png")
    items = read_folder(tmp_path)
    assert ways(tmp_path) == ["cat/1.png"]
    assert [(Path(broken.uri).name, broken.reason) for broken in items.skipped] == [
        ("pipe.png", "a named pipe, not a file"),
        ("self.png", "a link that leads nowhere: Too many levels of symbolic links"),
        ("socket.png", "a socket, not a file"),
        ("to_pipe.png", "a link to a named pipe, not to a file"),
    ]


def test_a_folder_without_pictures_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"found nothing; expected pictures \(.*\.jpg.*\.png"):
        read_folder(tmp_path)
    with pytest.raises(SourceError, match=r"found only 2 other files, such as"):
        read_folder(tree(tmp_path, "cat/a.txt", "b.doc"))


def test_another_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column 'breed': leave the label out"):
        read_folder(tree(tmp_path, "cat/1.png"), label="breed")
