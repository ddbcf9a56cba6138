"""A class registry of many classes: opening it, one more example, one picture and many; in CPU time.

    python benchmarks/class_registry.py [--classes 10000] [--examples 10] [--dim 128] [--folder FOLDER]

Vectors are drawn around a centre for each class. The registry is written through the log itself, 1,000 examples a
commit.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nearkin.data.preprocessing import Preprocessing
from nearkin.gallery.classes.payload import vector_payloads
from nearkin.gallery.gallery import Gallery

SPREAD = 0.06
REPEATS = 20


class NoEncoder:
    """Vectors come from elsewhere."""

    preprocessing = Preprocessing()
    has_text = False

    def __init__(self, dim: int) -> None:
        self.dim, self.fingerprint = dim, f"none-{dim}"

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=10_000)
    parser.add_argument("--examples", type=int, default=10, help="of each class")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="keep the gallery here, and use it again")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp()) / "gallery"
    encoder: Any = NoEncoder(asked.dim)
    # The same centres each time, other vectors.
    centres = np.random.default_rng(0).standard_normal((asked.classes, asked.dim)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    generator = np.random.default_rng(time.time_ns())

    def around(classes: np.ndarray) -> np.ndarray:
        noise = generator.standard_normal((len(classes), asked.dim))
        return (centres[classes] + SPREAD * noise).astype(np.float32)

    if not Gallery.is_at(folder):
        write(Gallery.create(folder, encoder), asked.classes, asked.examples, around)
    print(f"{asked.classes:,} classes of {asked.examples} examples, dimension {asked.dim}; CPU time, milliseconds")

    opened = timed("open: log, state and vectors", lambda: opened_gallery(folder, encoder))
    timed("list the classes", lambda: Gallery.open(folder, encoder).classes())
    timed("first picture: fit, and threshold unless in the cache", lambda: opened.recognize(around(np.arange(1))))
    singles = around(generator.integers(asked.classes, size=REPEATS))
    timed("one picture", lambda: [opened.recognize(each) for each in singles], REPEATS)
    many = around(generator.integers(asked.classes, size=1000))
    timed("one of 1,000 pictures", lambda: opened.recognize(many), 1000)
    timed("first example: fit for the review", lambda: opened.enroll("Class 0", vectors=around(np.array([0]))))
    more = [(one, around(np.array([one]))) for one in range(1, REPEATS + 1)]
    timed("one more example", lambda: [opened.enroll(f"Class {one}", vectors=each) for one, each in more], REPEATS)
    timed("one picture after an example", lambda: opened.recognize(singles[0]))


def write(gallery: Gallery, classes: int, examples: int, around: Callable[[np.ndarray], np.ndarray]) -> None:
    """Fill the registry."""
    registry, owners = gallery._registry, np.repeat(np.arange(classes), examples)
    for start in range(0, len(owners), 1000):
        part = owners[start : start + 1000]
        payloads = vector_payloads(around(part), gallery.dim)
        vectors = np.stack([np.asarray(one.vector) for one in payloads])
        registry.keep(gallery.fingerprint, [one.key for one in payloads], vectors)
        names = [{"action": "enroll", "class": f"Class {one}", "key": f"class {one}"} for one in part]
        registry.log.append([{**name, **one.fields()} for name, one in zip(names, payloads, strict=True)])


def opened_gallery(folder: Path, encoder: Any) -> Gallery:
    """The gallery with its registry read."""
    opened = Gallery.open(folder, encoder)
    opened._registry.missing(encoder.fingerprint, encoder.dim)
    opened._registry.registered(encoder.fingerprint, encoder.dim)
    return opened


def timed(what: str, work: Callable[[], Any], times: int = 1) -> Any:
    """Do it, and print the CPU time of one."""
    start = time.process_time()
    result = work()
    print(f"{what:55} {1000 * (time.process_time() - start) / times:9.1f}", flush=True)
    return result


if __name__ == "__main__":
    main()
