import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np

from nearkin.data.images import stream_pixels
from nearkin.data.sources import read_items
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder, draw_noise

# A process of its own, since Lance must not have started its threads before a fork. Each line on standard input is
# how many seconds a child may add, then SIGKILL comes; the answer is how many pictures it said were done, and whether
# it came to its end.
_VICTIM = """
import os, signal, sys, time
from tests.fakes import FakeEncoder
from nearkin.gallery.gallery import Gallery

class SlowEncoder(FakeEncoder):
    def embed_pixels(self, pixels):
        time.sleep(0.03)
        return super().embed_pixels(pixels)

def add(acknowledged):
    def progress(done, total):
        os.write(acknowledged, f"{done} ".encode())
    Gallery.open(sys.argv[1], SlowEncoder()).add(sys.argv[2], progress=progress)
    os._exit(0)

print("ready", flush=True)
for seconds in sys.stdin:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        add(writer)
    os.close(writer)
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    done = os.read(reader, 10_000).split()
    os.close(reader)
    print(int(done[-1]) if done else 0, int(status == 0), flush=True)
"""


def test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    folder, path, encoder = tmp_path / "pictures", tmp_path / "gallery", FakeEncoder()
    command = [sys.executable, "-W", "ignore:lance is not fork-safe", "-c", _VICTIM, str(path), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    moments, counts = random.Random(0), [0]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as victim:
        assert victim.stdin
        assert victim.stdout
        pictures = draw_noise(folder, range(2000))
        Gallery.create(path, encoder)
        assert victim.stdout.readline() == "ready\n"
        # Longer and longer, so that one child comes to its end on any machine.
        for attempt in range(100):
            print(moments.uniform(0, 0.1 * (1 + attempt)), file=victim.stdin, flush=True)
            acknowledged, finished = map(int, victim.stdout.readline().split())
            counts.append(len(Gallery.open(path, encoder)))
            assert counts[-1] >= max(acknowledged, counts[-2])
            if finished:
                break
        victim.stdin.close()
    assert finished
    assert counts[-1] == len(pictures)
    assert len({count for count in counts if 0 < count < len(pictures)}) >= 2, "no kill in the middle was seen"

    gallery = Gallery.open(path, encoder)
    assert gallery.add(folder).unchanged == len(pictures)
    assert encoder.embedded == 0
    hits = gallery.search(np.ones(encoder.dim), k=3000)
    assert sorted(hit.id for hit in hits) == list(range(len(pictures)))
    assert sorted(hit.uri for hit in hits) == sorted(map(str, pictures))
    items = read_items(folder)
    vectors = np.concatenate(
        [encoder.embed_pixels(batch.pixels) for batch in stream_pixels(items.pictures, encoder.preprocessing)]
    )
    scores = {hit.uri: hit.score for hit in hits}
    np.testing.assert_allclose([scores[uri] for uri in items.uris], vectors.sum(1) / np.sqrt(encoder.dim), atol=1e-6)
