"""A process that is killed leaves a whole registry; two processes that enrol at once lose and double nothing."""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder
from tests.gallery.classes.drawn import draw_view, draw_views

# For each line of standard input a child, forked before Lance has threads, goes on with all that is to be said, and is
# killed so many seconds after it has said so much.
_VICTIM = """
import os, signal, sys, time
from pathlib import Path
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder

gallery, folder = sys.argv[1:]

def speak(acknowledge):
    opened = Gallery.open(gallery, FakeEncoder())
    said = sum(not each["undone"] for each in opened.class_changes())
    acknowledge(said)
    for number in range(said, 10_000):
        picture = f"{folder}/{number % 40}.png"
        if number % 4 == 3:
            opened.ignore(picture)
        elif number % 4 == 2:
            opened.reject(picture, "thing 0")
        else:
            opened.enroll(f"thing {number}", picture, force=True)
        said += 1
        acknowledge(said)

print("ready", flush=True)
for line in sys.stdin:
    enough, seconds = line.split()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        speak(lambda said: os.write(writer, f"{said} ".encode()))
    os.close(writer)
    said = b"0 "
    start = None
    while True:
        said += os.read(reader, 1000) or sys.exit("the child died by itself")
        done = [int(each) for each in said.split()[1:]]
        start = done[0] if start is None and done else start
        if start is not None and done[-1] - start >= int(enough):
            break
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    said += os.read(reader, 10_000)
    os.close(reader)
    print(int(said.split()[-1]), flush=True)
"""


def test_killed_at_any_moment_nothing_that_was_said_is_lost(tmp_path: Path) -> None:
    path, folder, encoder = tmp_path / "gallery", tmp_path / "pictures", FakeEncoder()
    command = [sys.executable, "-W", "ignore:lance is not fork-safe", "-c", _VICTIM, str(path), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    moments = random.Random(0)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as victim:
        assert victim.stdin
        assert victim.stdout
        for number in range(40):
            draw_view(folder / f"{number}.png", number)
        Gallery.create(path, encoder).enroll("thing 0", folder / "0.png")
        assert victim.stdout.readline() == "ready\n"
        for enough in (0, 1, 1, 2, 3, 3, 4, 5):
            print(enough, moments.uniform(0, 0.04), file=victim.stdin, flush=True)
            acknowledged = int(victim.stdout.readline())
            gallery = Gallery.open(path, encoder)
            changes = gallery.class_changes()
            assert len(changes) >= acknowledged
            # Each call wrote all of its events, and each event has its vector.
            assert gallery.check().sound
            assert not gallery._registry.missing(encoder.fingerprint, encoder.dim)
        victim.stdin.close()
    numbers = [each["change"] for each in changes]
    assert len(set(numbers)) == len(numbers)
    gallery.enroll("after", folder / "39.png", force=True)
    assert gallery.recognize(folder / "39.png")[0].candidates[0].name in ("after", "thing 39")


def test_two_processes_at_once(tmp_path: Path) -> None:
    views = draw_views(tmp_path / "things", range(6), range(4))
    path, encoder = tmp_path / "gallery", FakeEncoder()
    Gallery.create(path, encoder)
    program = (
        "import sys; from nearkin.gallery.gallery import Gallery; from tests.fakes import FakeEncoder\n"
        "gallery = Gallery.open(sys.argv[1], FakeEncoder())\n"
        "for picture in sys.argv[2:]: gallery.enroll(picture.split('/')[-2], picture, force=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def enrol(part: int) -> int:
        # Some pictures are enrolled by both.
        pictures = [str(picture) for several in views.values() for picture in several[part : part + 3]]
        return subprocess.run([sys.executable, "-c", program, str(path), *pictures], env=environment).returncode

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(enrol, range(2))) == [0, 0]
    gallery = Gallery.open(path, encoder)
    assert {each.name: each.examples for each in gallery.classes()} == dict.fromkeys(views, 4)
    numbers = gallery._registry.log.rows()["number"].to_pylist()
    assert numbers == list(range(1, len(numbers) + 1))
    assert gallery.check().sound
