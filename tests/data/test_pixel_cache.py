import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.data.images import Preprocessing
from nearkin.data.items import Picture
from nearkin.data.pixel_cache import PixelCache
from nearkin.errors import InvalidInput, PictureError

SMALL = Preprocessing(height=4, width=4, channels=1)


def draw(folder: Path, count: int) -> list[Picture]:
    """Files 0.png, 1.png, ...; file n is of grey n."""
    folder.mkdir(exist_ok=True)
    for value in range(count):
        Image.new("L", (8, 8), value).save(folder / f"{value}.png")
    return [Picture(str(folder / f"{value}.png")) for value in range(count)]


def greys(cache: PixelCache) -> list[int]:
    pixels = cache.batch(np.arange(len(cache.rows)))
    assert (pixels == pixels[:, :1, :1]).all()
    return pixels[:, 0, 0, 0].tolist()


def test_pixels_are_those_of_the_pictures(tmp_path: Path) -> None:
    cache = PixelCache.build(draw(tmp_path / "a", 20), SMALL, tmp_path / "cache")
    assert greys(cache) == list(range(20))
    assert cache.decoded == 20
    batch = cache.batch([3, 3, 1])
    assert batch[:, 0, 0, 0].tolist() == [3, 3, 1]
    assert batch.flags.writeable
    assert type(batch) is np.ndarray


def test_a_second_build_decodes_and_reads_nothing(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "a", 20)
    PixelCache.build(pictures, SMALL, tmp_path / "cache")
    # Files that cannot be read any more, with size and time as they were.
    for picture in pictures:
        file = Path(picture.uri)
        state = file.stat()
        file.write_bytes(bytes(state.st_size))
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    again = PixelCache.build(pictures, SMALL, tmp_path / "cache")
    assert (again.decoded, greys(again)) == (0, list(range(20)))


def test_what_is_no_file_is_read_again_but_not_decoded(tmp_path: Path) -> None:
    content = [Path(picture.uri).read_bytes() for picture in draw(tmp_path / "a", 5)]
    pictures = [Picture(f"hf://x#{row}", lambda row=row: content[row]) for row in range(5)]
    first, second = (PixelCache.build(pictures, SMALL, tmp_path / "cache") for _ in range(2))
    assert (first.decoded, second.decoded) == (5, 0)
    assert greys(second) == list(range(5))


def test_a_changed_file_is_decoded_alone(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "a", 10)
    PixelCache.build(pictures, SMALL, tmp_path / "cache")
    Image.new("L", (9, 9), 200).save(pictures[4].uri)
    again = PixelCache.build(pictures, SMALL, tmp_path / "cache")
    assert again.decoded == 1
    assert greys(again) == [0, 1, 2, 3, 200, 5, 6, 7, 8, 9]


def test_moved_and_touched_files_and_copies_are_known_by_content(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "a", 10)
    PixelCache.build(pictures, SMALL, tmp_path / "cache")
    os.utime(pictures[0].uri, ns=(1, 1))
    again = PixelCache.build([*pictures, *draw(tmp_path / "b", 10)], SMALL, tmp_path / "cache")
    assert (again.decoded, len(again.store)) == (0, 10)
    assert greys(again) == [*range(10), *range(10)]
    # Their names are known now.
    assert PixelCache.build(pictures, SMALL, tmp_path / "cache").decoded == 0


def test_copies_within_one_build_share_a_row(tmp_path: Path) -> None:
    cache = PixelCache.build(draw(tmp_path / "a", 3) + draw(tmp_path / "b", 3), SMALL, tmp_path / "cache")
    assert cache.rows.tolist() == [0, 1, 2, 0, 1, 2]


def test_every_preprocessing_has_its_own_pixels(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "a", 3)
    PixelCache.build(pictures, SMALL, tmp_path / "cache")
    other = PixelCache.build(pictures, Preprocessing(height=2, width=3), tmp_path / "cache")
    assert (other.decoded, other.store.shape) == (3, (3, 2, 3, 3))


def test_broken_pictures_are_named_and_passed_over(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "a", 5)
    Path(pictures[2].uri).write_bytes(b"text")
    cache = PixelCache.build(pictures, SMALL, tmp_path / "cache")
    assert [broken.uri for broken in cache.broken] == [pictures[2].uri]
    assert cache.ok.tolist() == [0, 1, 3, 4]
    with pytest.raises(InvalidInput, match="picture 2 is broken"):
        cache.batch([0, 2])
    with pytest.raises(PictureError, match=r"2.png: no picture"):
        PixelCache.build(pictures, SMALL, tmp_path / "cache", strict=True)
    Image.new("L", (8, 8), 2).save(pictures[2].uri)
    assert greys(PixelCache.build(pictures, SMALL, tmp_path / "cache", strict=True)) == [0, 1, 2, 3, 4]


def test_nothing_to_decode(tmp_path: Path) -> None:
    cache = PixelCache.build([], SMALL, tmp_path / "cache")
    assert (len(cache.rows), cache.batch([]).shape) == (0, (0, 4, 4, 1))
    broken = PixelCache.build([Picture("/none")], SMALL, tmp_path / "cache")
    assert (broken.ok.tolist(), broken.store.shape) == ([], (0, 4, 4, 1))


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "a", 4)
    seen: list[tuple[int, int]] = []
    for count in (2, 4, 4):
        PixelCache.build(pictures[:count], SMALL, tmp_path / "cache", progress=lambda *step: seen.append(step))
    assert seen == [(0, 2), (2, 2), (2, 4), (4, 4), (4, 4)]


def test_the_default_folder_is_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARKIN_CACHE", str(tmp_path / "there"))
    PixelCache.build(draw(tmp_path / "a", 1), SMALL)
    assert (tmp_path / "there" / "pictures" / SMALL.key() / "pixels").stat().st_size == 16


def test_cut_pixels_are_decoded_again(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "a", 10)
    PixelCache.build(pictures, SMALL, tmp_path / "cache")
    os.truncate(tmp_path / "cache" / SMALL.key() / "pixels", 5 * 16 + 3)
    again = PixelCache.build(pictures, SMALL, tmp_path / "cache")
    assert (again.decoded, greys(again)) == (5, list(range(10)))


def test_pixels_that_the_index_does_not_name_are_overwritten(tmp_path: Path) -> None:
    pictures = draw(tmp_path / "a", 10)
    PixelCache.build(pictures[:5], SMALL, tmp_path / "cache")
    with (tmp_path / "cache" / SMALL.key() / "pixels").open("ab") as file:
        file.write(b"x" * 100)
    assert greys(PixelCache.build(pictures, SMALL, tmp_path / "cache")) == list(range(10))


def test_a_folder_that_cannot_serve_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="NEARKIN_CACHE"):
        PixelCache.build([], SMALL, tmp_path / "file")
    damaged = tmp_path / "cache" / SMALL.key()
    damaged.mkdir(parents=True)
    (damaged / "index.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(InvalidInput, match="delete that folder"):
        PixelCache.build([], SMALL, tmp_path / "cache")


def test_what_no_disk_can_hold_is_refused_at_once(tmp_path: Path) -> None:
    huge = Preprocessing(height=1 << 20, width=1 << 20)
    with pytest.raises(InvalidInput, match=r"take 3298\d\.\d GB"):
        PixelCache.build([Picture("/none")] * 10, huge, tmp_path / "cache")


COLOUR = Preprocessing(height=2, width=2)
COUNT = 1400

# More pictures than two commits hold, read slowly however many threads there are.
BUILD = f"""
import sys, threading, time
from pathlib import Path
from nearkin.data.pixel_cache import PixelCache
from nearkin.data.images import Preprocessing
from nearkin.data.items import Picture

turn = threading.Lock()

def read(row):
    with turn:
        time.sleep(0.001)
    return b"P6 1 1 255 " + bytes([row // 256, row % 256, 0])

pictures = [Picture(f"row {{row}}", lambda row=row: read(row)) for row in range({COUNT})]
PixelCache.build(pictures, Preprocessing(height=2, width=2), Path(sys.argv[1]))
"""


def start_build(store: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BUILD, str(store)])


def build_colours(store: Path) -> PixelCache:
    """What BUILD builds, checked."""
    contents = [b"P6 1 1 255 " + bytes([row // 256, row % 256, 0]) for row in range(COUNT)]
    pictures = [Picture(f"row {row}", lambda content=content: content) for row, content in enumerate(contents)]
    cache = PixelCache.build(pictures, COLOUR, store)
    colours = np.array([(row // 256, row % 256, 0) for row in range(COUNT)])
    assert (cache.batch(np.arange(COUNT)) == colours[:, None, None]).all()
    assert len(cache.store) == COUNT
    return cache


def stored(store: Path) -> int:
    """Pictures that the index names."""
    path = store / COLOUR.key() / "index.sqlite"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as index:
            return index.execute("SELECT count(*) FROM content").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_build_is_gone_on_with(tmp_path: Path) -> None:
    kept = 0
    for _ in range(2):
        process = start_build(tmp_path)
        while process.poll() is None and stored(tmp_path) == kept:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert kept < stored(tmp_path) < COUNT
        kept = stored(tmp_path)
    assert build_colours(tmp_path).decoded == COUNT - kept


def test_two_processes_build_at_once(tmp_path: Path) -> None:
    processes = [start_build(tmp_path) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert build_colours(tmp_path).decoded == 0
