"""Names that are not plain: other bytes, other forms, other spellings, other things than files."""

import os
import pickle
import socket
import unicodedata
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nearkin.data.captions import train_tokenizer
from nearkin.data.images import Preprocessing, stream_pixels
from nearkin.data.items import Items, Picture
from nearkin.data.names import is_litter, plain_text, printable
from nearkin.data.pairs import Pairs
from nearkin.data.pixel_cache import PixelCache
from nearkin.data.sources import read_items
from nearkin.encoders.training_hashes import hash_names
from nearkin.errors import InvalidInput, PictureError, SourceError
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.query import kind_of
from tests.fakes import FakeEncoder

SMALL = Preprocessing(height=2, width=2, channels=1)
NFC, NFD = "caf\u00e9", "cafe\u0301"
# "при" in the Russian encoding of Windows, which is no UTF-8.
BYTES = b"\xef\xf0\xe8"


def draw(path: Path | bytes, grey: int = 7) -> None:
    file = Path(os.fsdecode(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    encoded = BytesIO()
    Image.new("L", (2, 2), grey).save(encoded, "PNG")
    file.write_bytes(encoded.getvalue())


def relative(root: Path, items: Items) -> list[str]:
    return [os.path.relpath(uri, root.resolve()) for uri in items.uris]


def greys(items: Items) -> list[int]:
    batches = stream_pixels(items.pictures, SMALL, strict=True)
    return [int(grey) for batch in batches for grey in batch.pixels[:, 0, 0, 0]]


def test_names_and_folders_that_are_not_utf8(tmp_path: Path) -> None:
    draw(tmp_path / "a/1.png", 1)
    draw(os.fsencode(tmp_path / "a") + b"/" + BYTES + b".png", 2)
    draw(os.fsencode(tmp_path) + b"/" + BYTES + b"/3.png", 3)
    items = read_items(tmp_path)
    assert relative(tmp_path, items) == ["a/1.png", "a/\\xef\\xf0\\xe8.png", "\\xef\\xf0\\xe8/3.png"]
    assert items.labels == ("a", "a", "\\xef\\xf0\\xe8")
    assert items.metadata["folder"] == ("a", "a", "\\xef\\xf0\\xe8")
    assert greys(items) == [1, 2, 3]
    assert PixelCache.build(items.pictures, SMALL, tmp_path / "cache").decoded == 3
    assert PixelCache.build(items.pictures, SMALL, tmp_path / "cache").decoded == 0
    assert len(hash_names([str(label) for label in items.labels])) == 3
    for text in (*items.uris, *map(str, items.labels), items.source):
        text.encode()
    assert pickle.loads(pickle.dumps(items.pictures[1])).read() == items.pictures[1].read()


def test_a_source_whose_path_is_not_utf8(tmp_path: Path) -> None:
    root = os.fsdecode(os.fsencode(tmp_path) + b"/" + BYTES)
    draw(Path(root) / "cat/1.png")
    items = read_items(root)
    assert greys(items) == [7]
    items.source.encode()
    Path(root, "t.csv").write_text("path,label\ncat/1.png,x\n")
    table = read_items(Path(root, "t.csv"))
    assert (table.labels, table.uris) == (("x",), items.uris)
    table.source.encode()


def test_half_letters_in_json_are_no_reason_to_stop(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    draw(os.fsencode(tmp_path) + b"/" + BYTES + b".png", 9)
    (tmp_path / "t.jsonl").write_text(
        '{"path": "a.png", "label": "x\\udcef", "caption": "half \\ud83d a face", "note": "\\udc00"}\n'
        '{"path": "\\udcef\\udcf0\\udce8.png", "label": "y"}\n'
    )
    items = read_items(tmp_path / "t.jsonl")
    assert items.labels == ("x\\xef", "y")
    assert items.captions[0] == ("half \\ud83d a face",)
    assert greys(items) == [7, 9]
    train_tokenizer(text for several in items.captions for text in several)
    for value in (*items.uris, *items.metadata["note"]):
        str(value).encode()


@given(st.text(st.characters(codec=None), max_size=20))
def test_any_text_becomes_one_that_can_be_written(text: str) -> None:
    plain = plain_text(text)
    plain.encode()
    assert plain_text(plain) == plain
    assert plain == unicodedata.normalize("NFC", printable(text))


def test_both_forms_of_a_label_are_one_class(tmp_path: Path) -> None:
    draw(tmp_path / "p" / NFC / "1.png")
    draw(tmp_path / "p" / NFD / "2.png")
    assert read_items(tmp_path / "p").labels == (NFC, NFC)
    (tmp_path / "t.csv").write_text(f"path,label,{NFD}\np/{NFC}/1.png,{NFC},1\np/{NFD}/2.png,{NFD},2\n")
    items = read_items(tmp_path / "t.csv")
    assert (items.labels, items.metadata) == ((NFC, NFC), {NFC: (1, 2)})
    assert read_items(tmp_path / "t.csv", label=NFC).labels == read_items(tmp_path / "t.csv", label=NFD).labels
    assert Items.build([Picture("a"), Picture("b")], labels=[NFC, NFD]).labels == (NFC, NFC)


@pytest.mark.parametrize(("on_disk", "in_table"), [(NFC, NFD), (NFD, NFC), (NFC, NFC)])
def test_a_table_may_name_a_file_in_the_other_form(tmp_path: Path, on_disk: str, in_table: str) -> None:
    draw(tmp_path / f"{on_disk}.png")
    (tmp_path / "t.csv").write_text(f"path,label\n{in_table}.png,x\n")
    assert greys(read_items(tmp_path / "t.csv")) == [7]


def test_two_files_whose_names_differ_in_form_are_two(tmp_path: Path) -> None:
    draw(tmp_path / f"a/{NFC}.png", 1)
    draw(tmp_path / f"a/{NFD}.png", 2)
    assert sorted(greys(read_items(tmp_path))) == [1, 2]


def test_upper_and_lower_case(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    draw(tmp_path / "b.png")
    table = tmp_path / "t.csv"
    table.write_text("path,label\nA.JPG,x\nb.png,y\n")
    (batch,) = stream_pixels(read_items(table).pictures, SMALL)
    assert batch.rows.tolist() == [1]
    assert batch.broken[0].reason == "no such file; the folder holds 'a.jpg': upper and lower case differ"
    table.write_text("path,label\nA.JPG,x\n")
    with pytest.raises(SourceError, match=r"row 2: 'A\.JPG' is neither in .* 'a\.jpg' differs in upper and lower case"):
        read_items(table)


def test_spaces_around_names(tmp_path: Path) -> None:
    draw(tmp_path / "p/ cat/1.png", 1)
    draw(tmp_path / "p/cat /2.png ", 2)
    items = read_items(tmp_path / "p")
    assert (items.labels, sorted(greys(items))) == (("cat", "cat"), [1, 2])
    (tmp_path / "t.csv").write_text('path,label\n" p/ cat/1.png ",x\n"p/cat /2.png ",x\n')
    assert greys(read_items(tmp_path / "t.csv")) == [1, 2]


@pytest.mark.parametrize(
    "spelling",
    [
        "./a.png",
        "sub/../a.png",
        "sub//..//a.png",
        "{root}/a.png",
        "{root}//./a.png",
        "link.png",
        "folder/a.png",
        "gone/../a.png",
    ],
)
def test_one_file_under_two_spellings_is_one_picture(tmp_path: Path, spelling: str) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "folder").symlink_to(".")
    spelling = spelling.format(root=tmp_path)
    table = tmp_path / "t.csv"
    table.write_text(f"path,label,caption\na.png,x,one\n{spelling},x,two\n")
    items = read_items(table)
    assert (len(items), items.captions) == (1, (("one", "two"),))
    assert items.uris == (os.path.realpath(tmp_path / "a.png"),)
    table.write_text(f"path,label\na.png,x\n{spelling},y\n")
    with pytest.raises(SourceError, match="row 3: 'label' is 'y', but 'x' for the same picture in row 2"):
        read_items(table)
    (tmp_path / "pairs.csv").write_text(f"a,b,same\na.png,{spelling},1\n")
    (pair,) = Pairs(tmp_path / "pairs.csv")
    assert pair.pictures[0] == pair.pictures[1]
    assert read_items([tmp_path / "a.png", str(tmp_path / spelling)]).uris == items.uris
    assert Items.build([Picture(str(tmp_path / spelling))]).uris in (items.uris, (str(tmp_path / spelling),))


def test_the_same_folder_by_any_way_gives_the_same_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "p/cat/1.png")
    (tmp_path / "q").symlink_to("p")
    monkeypatch.chdir(tmp_path)
    names = {read_items(way).uris for way in ("p", "./p/", "q", "p/cat/..", str(tmp_path / "p"), tmp_path / "q")}
    assert len(names) == 1


def test_a_link_within_a_tree_adds_nothing(tmp_path: Path) -> None:
    draw(tmp_path / "cat/1.png")
    draw(tmp_path / "dog/2.png")
    (tmp_path / "cat/again.png").symlink_to("1.png")
    (tmp_path / "all").mkdir()
    (tmp_path / "all/1.png").symlink_to("../cat/1.png")
    items = read_items(tmp_path)
    assert (relative(tmp_path, items), items.labels) == (["cat/1.png", "dog/2.png"], ("cat", "dog"))
    # A second name in the same class says nothing new; one in another class is named.
    assert [(Path(one.uri).parent.name, one.reason) for one in items.skipped] == [
        ("all", "a link to a picture in 'cat', and counted there")
    ]


def test_a_tree_of_links_to_pictures_elsewhere(tmp_path: Path) -> None:
    draw(tmp_path / "store/3fa9")
    (tmp_path / "tree/cat").mkdir(parents=True)
    (tmp_path / "tree/cat/1.png").symlink_to("../../store/3fa9")
    items = read_items(tmp_path / "tree")
    assert (items.labels, greys(items)) == (("cat",), [7])
    assert items.uris == (str(tmp_path.resolve() / "store/3fa9"),)


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    draw(tmp_path / "cat/1.png")
    os.link(tmp_path / "cat/1.png", tmp_path / "cat/2.png")
    assert len(read_items(tmp_path)) == 2


LITTER = (
    *("@eaDir", "#recycle", "@Recycle", "@Recently-Snapshot", "#snapshot", ".@__thumb", "@tmp", "lost+found"),
    *("__MACOSX", ".AppleDouble", ".Spotlight-V100", ".Trashes", ".fseventsd", "Network Trash Folder"),
    *("$RECYCLE.BIN", "System Volume Information", "LOST.DIR", "FOUND.000"),
    *(".stversions", ".stfolder", ".Trash-1000", ".thumbnails", ".git", ".dvc", ".ipynb_checkpoints"),
)


@pytest.mark.parametrize("name", LITTER)
def test_litter_is_no_class(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "cat/1.png")
    for folder in (name, f"cat/{name}", f"cat/{name}/1.png", f"archive/{name}/deep"):
        draw(tmp_path / folder / "2.png")
    items = read_items(tmp_path)
    assert (relative(tmp_path, items), items.skipped) == (["cat/1.png"], ())


def test_litter_files(tmp_path: Path) -> None:
    for name in ("1.png", "._1.png", ".1.png", ".DS_Store", "Thumbs.db", "desktop.ini", "ehthumbs.db"):
        draw(tmp_path / "cat" / name)
    assert relative(tmp_path, read_items(tmp_path)) == ["cat/1.png"]


def test_classes_that_only_look_like_litter(tmp_path: Path) -> None:
    names = [
        "#1",
        "@home",
        "$100 bill",
        "recycle",
        "recycled",
        "trash",
        "found",
        "system",
        "thumbs",
        "_private",
        "~waves",
    ]
    for name in names:
        draw(tmp_path / name / "1.png")
        assert not is_litter(name)
    assert sorted(map(str, read_items(tmp_path).labels)) == sorted(names)


def test_a_hidden_folder_can_be_read_by_its_name(tmp_path: Path) -> None:
    draw(tmp_path / ".hidden/cat/1.png")
    assert len(read_items(tmp_path / ".hidden")) == 1


def odd_entries(root: Path) -> dict[str, str]:
    """One of each kind of entry that is no file, and what is said of it."""
    os.mkfifo(root / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "socket.png"))
    (root / "loop.png").symlink_to("loop.png")
    (root / "ping.png").symlink_to("pong.png")
    (root / "pong.png").symlink_to("ping.png")
    (root / "gone.png").symlink_to("nowhere.png")
    (root / "folder.jpg").mkdir()
    (root / "device.png").symlink_to("/dev/null")
    return {
        "pipe.png": "named pipe",
        "socket.png": "socket",
        "loop.png": "symbolic links",
        "ping.png": "symbolic links",
        "pong.png": "symbolic links",
        "gone.png": "No such file",
        "folder.jpg": "a folder",
        "device.png": "a device",
    }


@pytest.mark.timeout(20)
def test_what_is_no_file_is_named_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "p/cat/1.png")
    odd = odd_entries(tmp_path / "p/cat")
    (tmp_path / "p/cat/empty.png").touch()
    items = read_items(tmp_path / "p")
    assert relative(tmp_path / "p", items) == ["cat/1.png", "cat/empty.png"]
    reasons = {Path(one.uri).name: one.reason for one in items.skipped}
    assert reasons.keys() == odd.keys()
    assert all(part in reasons[name] for name, part in odd.items()), reasons
    with pytest.raises(PictureError, match="cat/"):
        items.refuse_skipped(True)


@pytest.mark.timeout(20)
def test_what_is_no_file_in_a_table_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "1.png")
    odd = odd_entries(tmp_path)
    (tmp_path / "empty.png").touch()
    names = [*odd, "empty.png", "missing.png", "a\0b.png", "x" * 5000 + ".png", "1.png"]
    lines = "".join(f"{name},x\n" for name in names)
    (tmp_path / "t.csv").write_text(f"path,label\n{lines}")
    items = read_items(tmp_path / "t.csv")
    batches = list(stream_pixels(items.pictures, SMALL, threads=1))
    assert sum(len(batch.rows) for batch in batches) == 1
    assert sum(len(batch.broken) for batch in batches) == len(names) - 1
    cache = PixelCache.build(items.pictures, SMALL, tmp_path / "cache")
    assert (len(cache.ok), len(cache.broken)) == (1, len(names) - 1)


def test_folders_that_go_in_circles_end(tmp_path: Path) -> None:
    draw(tmp_path / "p/a/1.png")
    draw(tmp_path / "p/b/2.png")
    for link, target in (("a/to_b", "../b"), ("b/to_a", "../a"), ("a/up", ".."), ("out", "../.."), ("self", "self")):
        (tmp_path / "p" / link).symlink_to(target)
    items = read_items(tmp_path / "p")
    assert {"a/1.png", "b/2.png"} <= set(relative(tmp_path / "p", items))
    assert len(set(items.uris)) == len(items)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "cat/1.png")
    draw(tmp_path / "dog/2.png")
    (tmp_path / "dog").chmod(0)
    try:
        if os.access(tmp_path / "dog", os.R_OK):
            pytest.skip("this user may read everything")
        items = read_items(tmp_path)
    finally:
        (tmp_path / "dog").chmod(0o700)
    assert relative(tmp_path, items) == ["cat/1.png"]
    assert [one.reason for one in items.skipped] == ["Permission denied"]


def test_very_deep_trees(tmp_path: Path) -> None:
    deep = tmp_path / "cat" / Path(*["d"] * 400)
    draw(deep / "1.png")
    items = read_items(tmp_path)
    assert (items.labels, greys(items)) == (("cat",), [7])


def test_pixels_of_pictures_with_other_names_are_not_mixed_up(tmp_path: Path) -> None:
    """A name that looks like the escape of another one is still another file."""
    draw(os.fsencode(tmp_path) + b"/a/" + BYTES + b".png", 1)
    draw(tmp_path / "a/b.png", 2)
    cache = PixelCache.build(read_items(tmp_path).pictures, SMALL, tmp_path / ".cache")
    assert sorted(cache.batch(np.arange(2)).reshape(2, -1)[:, 0].tolist()) == [1, 2]


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp1252", "café"), ("cp437", "café"), ("cp866", "кот"), ("cp1251", "кот")]
)
def test_a_table_names_files_that_windows_packed(tmp_path: Path, encoding: str, name: str) -> None:
    draw(os.fsencode(tmp_path) + b"/" + name.encode(encoding) + b".png", 9)
    (tmp_path / "t.csv").write_text(f"path,label\n{name}.png,x\n")
    assert greys(read_items(tmp_path / "t.csv")) == [9]


def test_a_gallery_keeps_one_item_for_all_spellings_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / f"p/{NFD}.png", 1)
    (tmp_path / "link.png").symlink_to(f"p/{NFD}.png")
    (tmp_path / "t.csv").write_text(f"path,label\np/{NFC}.png,{NFC}\n")
    (tmp_path / "u.csv").write_text(f"path,label\np/../p//{NFD}.png,{NFD}\n")
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    sources: list[object] = [
        *(tmp_path / "p", "p", "./p/", tmp_path / "t.csv", tmp_path / "u.csv"),
        *(tmp_path / "link.png", f"p/{NFD}.png", [f"{tmp_path}//p/{NFD}.png"]),
    ]
    assert [gallery.add(source).added for source in sources] == [1, *[0] * (len(sources) - 1)]
    assert gallery.delete(where=f"label = '{NFD}'") == 1


def test_a_gallery_of_names_and_columns_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "p/a").mkdir(parents=True)
    draw(os.fsencode(tmp_path / "p") + b"/" + BYTES + b"/1.png", 1)
    draw(os.fsencode(tmp_path / "p/a") + b"/" + BYTES + b".png", 2)
    gallery = Gallery.create(tmp_path / "gallery", FakeEncoder())
    assert gallery.add(tmp_path / "p").added == 2
    assert gallery.add(tmp_path / "p").unchanged == 2
    assert sorted(str(label) for label in gallery.to_pandas()["label"]) == ["\\xef\\xf0\\xe8", "a"]
    (tmp_path / "p/t.jsonl").write_text(
        '{"path": "a/\\udcef\\udcf0\\udce8.png", "label": "a", "no\\udc00te": "\\ud800"}'
    )
    assert gallery.add(tmp_path / "p/t.jsonl").updated == 1


@pytest.mark.timeout(20)
def test_a_query_that_is_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, reason in {
        **odd_entries(tmp_path),
        "loop.png": "a link",
        "ping.png": "a link",
        "pong.png": "a link",
    }.items():
        expected = "a link" if name == "gone.png" else reason
        for query in (name, str(tmp_path / name), tmp_path / name):
            with pytest.raises(InvalidInput, match=rf"{name}.* is (a )?{expected}"):
                kind_of(query)


@pytest.mark.parametrize(
    "name",
    [
        *("~$photos", "RECYCLER", "FOUND.001", "@SynoResource", "@SynoEAStream", "SYNO@.fileindexdb", "$WinREAgent"),
        *("Config.Msi", "PaxHeader", "PaxHeaders.0", "_gsdata_", "__pycache__", "$SysReset", ".stversions", ".nfs0001"),
    ],
)
def test_further_litter(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "cat/1.png")
    draw(tmp_path / name / "2.png")
    assert relative(tmp_path, read_items(tmp_path)) == ["cat/1.png"]


def test_what_is_no_path_is_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "cat/1.png")
    monkeypatch.chdir(tmp_path)
    for empty in ("", " "):
        # A variable of the shell that is not set, and not the working folder.
        with pytest.raises(SourceError, match="the source is empty"):
            read_items(empty)
    for address in ("https://example.org/a.png", "s3://bucket/photos", f"file://{tmp_path}/cat"):
        with pytest.raises(SourceError, match="an address, not a file"):
            read_items(address)
    (tmp_path / "dead").symlink_to("nowhere")
    with pytest.raises(SourceError, match="dead: a link that leads nowhere"):
        read_items(tmp_path / "dead")


def test_a_folder_in_a_list_of_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "cat/1.png")
    (picture,) = read_items([tmp_path / "cat"]).pictures
    with pytest.raises(PictureError, match="a folder, not a file"):
        picture.read()
