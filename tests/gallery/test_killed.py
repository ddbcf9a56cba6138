import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np

from nearkin.data.images import stream_pixels
from nearkin.data.sources import read_items
from nearkin.gallery.gallery import Gallery
from nearkin.gallery.items.ingest import CHUNK
from tests.fakes import FakeEncoder, draw_noise

# A process of its own, since Lance must not have started its threads before a fork. For each line of standard input a
# child adds pictures. SIGKILL comes so many seconds after the child said that so many pictures are done; the answer is
# how many it said were done in the end.
_VICTIM = """
import os, signal, sys, time
from nearkin.gallery.gallery import Gallery
from tests.fakes import FakeEncoder

class SlowEncoder(FakeEncoder):
    def embed_pixels(self, pixels):
        time.sleep(0.03)
        return super().embed_pixels(pixels)

def add(acknowledge):
    Gallery.open(sys.argv[1], SlowEncoder()).add(sys.argv[2], progress=lambda done, total: acknowledge(done))
    os._exit(0)

print("ready", flush=True)
for line in sys.stdin:
    enough, seconds = line.split()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        add(lambda done: os.write(writer, f"{done} ".encode()))
    os.close(writer)
    said = b"0 "
    while int(said.split()[-1]) < int(enough):
        said += os.read(reader, 1000) or sys.exit("the child died by itself")
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    said += os.read(reader, 10_000)
    os.close(reader)
    print(int(said.split()[-1]), flush=True)
"""


def test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    folder, path, encoder = tmp_path / "pictures", tmp_path / "gallery", FakeEncoder()
    command = [sys.executable, "-W", "ignore:lance is not fork-safe", "-c", _VICTIM, str(path), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    moments, count = random.Random(0), 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as victim:
        assert victim.stdin
        assert victim.stdout
        pictures = draw_noise(folder, range(2000))
        Gallery.create(path, encoder)
        assert victim.stdout.readline() == "ready\n"
        for chunks in (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5):
            print(chunks * CHUNK, moments.uniform(0, 0.06), file=victim.stdin, flush=True)
            acknowledged = int(victim.stdout.readline())
            before, count = count, len(Gallery.open(path, encoder))
            assert count >= max(acknowledged, before)
        victim.stdin.close()
    assert 0 < count < len(pictures)

    gallery = Gallery.open(path, encoder)
    summary = gallery.add(folder)
    assert (summary.added, summary.unchanged) == (len(pictures) - count, count)
    assert encoder.embedded == len(pictures) - count
    hits = gallery.search(np.ones(encoder.dim), k=3000)
    assert len(set(hits.ids.tolist())) == len(pictures)
    assert sorted(hit.uri for hit in hits) == sorted(map(str, pictures))
    items = read_items(folder)
    vectors = np.concatenate(
        [encoder.embed_pixels(batch.pixels) for batch in stream_pixels(items.pictures, encoder.preprocessing)]
    )
    scores = {hit.uri: hit.score for hit in hits}
    np.testing.assert_allclose([scores[uri] for uri in items.uris], vectors.sum(1) / np.sqrt(encoder.dim), atol=1e-6)
