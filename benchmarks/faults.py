"""Faults on purpose: processes killed at random moments, many readers beside a writer. Nothing may be lost or doubled.

    python benchmarks/faults.py [--kills 200] [--writes 100] [--readers 4] [--seed 0]

A worker adds items, deletes them and builds indexes, and says so line by line when a call has returned. It is killed
(SIGKILL) at random moments, and each time the gallery is opened and compared with what was acknowledged. Vectors are
made from numbers, so that no network is needed.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from nearkin.arrays import unit
from nearkin.data.images import Preprocessing
from nearkin.errors import ArtefactError
from nearkin.gallery.gallery import Gallery

DIM, BATCH = 16, 40
# Longest life of a worker in seconds.
LIFE = 0.8
# Where no call is finished in that time, workers live longer and longer, up to so many.
MOST_KILLS = 50


class Numbers:
    """An encoder that nobody asks to embed."""

    dim, fingerprint, preprocessing = DIM, "numbers", Preprocessing()
    has_text = False

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "numbers.txt").write_text(self.fingerprint)

    def embed_pixels(self, pixels: Any) -> Any:
        raise NotImplementedError

    embed_images = embed_texts = embed_pixels


def vectors_of(numbers: range) -> np.ndarray:
    return unit(np.stack([np.random.default_rng(number).standard_normal(DIM) for number in numbers]).astype(np.float32))


def uris(numbers: range) -> list[str]:
    return [f"/{number}" for number in numbers]


def work(path: Path, first: int, seed: int) -> None:
    """Write until killed; a line before each call and one after it. Numbers from `first` on are not used yet."""
    generator, gallery = random.Random(seed), Gallery.open(path)
    alive: list[range] = []
    while True:
        # Each order is named before it is given: what it changes may be there or not, if no answer follows.
        if alive and generator.random() < 0.3:
            numbers = alive.pop(generator.randrange(len(alive)))
            order = {"do": "delete", "numbers": [numbers.start, numbers.stop]}
        elif generator.random() < 0.2:
            order = {"do": "build", "kind": generator.choice(["lsh", "exact"])}
        else:
            numbers, first = range(first, first + BATCH), first + BATCH
            order = {"do": "add", "numbers": [numbers.start, numbers.stop]}
        print(json.dumps(order), flush=True)
        if order["do"] == "delete":
            gallery.delete(where=f"uri IN ({', '.join(repr(uri) for uri in uris(numbers))})")
        elif order["do"] == "build":
            gallery.build(str(order["kind"]), recall=0.9)
        else:
            gallery.add_vectors(uris(numbers), vectors_of(numbers))
            alive.append(numbers)
        print("done", flush=True)


class Expected:
    """What must be in the gallery (True), must not (False), or may be (None), by number."""

    def __init__(self) -> None:
        self.state: dict[int, bool | None] = {}
        self.calls = {"add": 0, "delete": 0, "build": 0}

    def read(self, lines: list[str]) -> None:
        """Take in what a worker said before it died."""
        for said, answer in zip(lines, [*lines[1:], ""], strict=True):
            if said == "done" or not said.endswith("}"):
                continue
            order = json.loads(said)
            acknowledged = answer == "done"
            self.calls[order["do"]] += acknowledged
            for number in range(*order.get("numbers", (0, 0))):
                self.state[number] = (order["do"] == "add") if acknowledged else None

    def compare(self, gallery: Gallery) -> tuple[int, int, int]:
        """How many acknowledged items are lost, have come back, and are doubled; what was open is settled."""
        hits = gallery.search(np.ones(DIM), k=max(1, len(gallery))) if len(gallery) else ()
        found = [int(hit.uri[1:]) for hit in hits]
        there = set(found)
        lost = sum(number not in there for number, state in self.state.items() if state)
        back = sum(number in there for number, state in self.state.items() if state is False)
        for number, state in self.state.items():
            if state is None:
                self.state[number] = number in there
        stored = gallery.vectors([hit.id for hit in hits]) if found else np.empty((0, DIM))
        wrong = sum(
            not np.allclose(vector, vectors_of(range(number, number + 1))[0], atol=1e-6)
            for vector, number in zip(stored[::37], found[::37], strict=True)
        )
        return lost + wrong, back, len(found) - len(there)


def kills(path: Path, count: int, seed: int) -> dict[str, Any]:
    """Kill so many workers, one after another; more on a machine so busy that none of them got as far as an add."""
    generator, expected = random.Random(seed), Expected()
    Gallery.create(path, Numbers())
    lost = back = doubled = unopened = in_call = 0
    with _start("--workers", path) as workers:
        assert workers.stdin
        assert workers.stdout
        kill = 0
        while kill < count or not (expected.calls["add"] or kill > MOST_KILLS):
            first = max(expected.state, default=-1) + 1
            life = generator.uniform(0, LIFE) * max(1, kill / count)
            kill += 1
            print(first, generator.randrange(1 << 30), life, file=workers.stdin, flush=True)
            lines = list(iter(workers.stdout.readline, "killed\n"))
            in_call += bool(lines) and lines[-1] != "done\n"
            expected.read([line.strip() for line in lines])
            try:
                result = expected.compare(Gallery.open(path))
            except ArtefactError as error:
                print(f"kill {kill}: {error}", file=sys.stderr)
                unopened += 1
                continue
            lost, back, doubled = (total + one for total, one in zip((lost, back, doubled), result, strict=True))
        workers.stdin.close()
    return {
        "kills": kill,
        "inside a call": in_call,
        "acknowledged calls": expected.calls,
        "items": len(Gallery.open(path)),
        "acknowledged items lost": lost,
        "deleted items back": back,
        "items doubled": doubled,
        "gallery not opened": unopened,
        "faults found by check": list(Gallery.open(path).check().faults),
    }


def workers(path: Path) -> None:
    """For each line of standard input fork a worker, and kill it after so many seconds: packages are loaded once."""
    for line in sys.stdin:
        first, seed, life = line.split()
        child = os.fork()
        if not child:
            work(path, int(first), int(seed))
        time.sleep(float(life))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        # The child may have died in the middle of a line.
        print("\nkilled", flush=True)


def _start(role: str, path: Path) -> "subprocess.Popen[str]":
    # No thread of Lance has started where workers are forked.
    command = [sys.executable, "-W", "ignore:lance is not fork-safe", __file__, role, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def read(path: Path) -> None:
    """Search until told to stop, and compare each answer with what a whole version would give."""
    gallery, searches, versions = Gallery.open(path), 0, set()
    print("ready", flush=True)
    stop = Path(f"{path}.stop")
    while not stop.exists():
        count = len(gallery)
        hits = gallery.search(np.ones(DIM), k=100_000)
        # The writer adds BATCH items at once, all of one label, and deletes them at once.
        labels: dict[str | None, int] = {}
        for hit in hits:
            labels[hit.label] = labels.get(hit.label, 0) + 1
        torn = [label for label, n in labels.items() if n != BATCH]
        assert not torn, f"torn: {torn}"
        assert len(set(hits.ids.tolist())) == len(hits)
        assert count % BATCH == 0
        searches += 1
        versions.add(len(hits))
    print(json.dumps({"searches": searches, "states": len(versions)}), flush=True)


def readers(path: Path, writes: int, count: int) -> dict[str, Any]:
    """So many processes search while one writes."""
    from nearkin.data.items import Items, Picture

    gallery = Gallery.create(path, Numbers())

    def add(write: int) -> None:
        numbers = range(write * BATCH, (write + 1) * BATCH)
        items = Items.build([Picture(uri) for uri in uris(numbers)], labels=[f"batch {write}"] * BATCH)
        gallery.add_vectors(items, vectors_of(numbers))

    add(0)
    processes = [_start("--reader", path) for _ in range(count)]
    for process in processes:
        assert process.stdout
        process.stdout.readline()
    for write in range(1, writes):
        gallery.delete(where=f"label = 'batch {write - 20}'") if write % 3 == 0 and write > 20 else add(write)
        time.sleep(0.05)
    Path(f"{path}.stop").touch()
    said = [process.communicate()[0] for process in processes]
    reports = [json.loads(each) for each in said if each]
    return {
        "writes": writes,
        "readers": count,
        "readers that failed": sum(process.returncode != 0 for process in processes),
        "searches": [report["searches"] for report in reports],
        "states seen": [report["states"] for report in reports],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--writes", type=int, default=100)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--reader", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.workers:
        workers(options.workers)
    elif options.reader:
        read(options.reader)
    else:
        with tempfile.TemporaryDirectory() as folder:
            if options.writes:
                print(json.dumps(readers(Path(folder, "read"), options.writes, options.readers), indent=2), flush=True)
            if options.kills:
                print(json.dumps(kills(Path(folder, "killed"), options.kills, options.seed), indent=2))


if __name__ == "__main__":
    main()
