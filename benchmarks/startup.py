"""How long does each command take that embeds nothing, or one query, and what does it import?

A gallery of 60 small pictures is made, then each command runs in a process of its own, as a user types it. Processor
time is user + system; the lowest of several runs is printed, since other work on the machine only adds to it.

    python benchmarks/startup.py [--runs 3]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from nearkin import Gallery
from nearkin.data.captions import train_tokenizer
from nearkin.data.images import Preprocessing
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.encoders.texts._recurrent import TextTower, TextTowerConfig

PICTURES, DIM = 60, 16
HEAVY = ("torch", "torchvision", "lightning", "timm", "sklearn", "scipy", "pandas", "matplotlib", "datasets")

COMMANDS = {
    "--version": ("--version",),
    "--help": ("--help",),
    "train --help": ("train", "--help"),
    "train, no such file": ("train", "nope"),
    "gallery info": ("gallery", "info", "gallery"),
    "gallery get": ("gallery", "get", "gallery", "3"),
    "gallery export": ("gallery", "export", "gallery", "out.parquet"),
    "gallery delete": ("gallery", "delete", "gallery", "--id", "5"),
    "search by id": ("search", "gallery", "#7"),
    "search by .npy": ("search", "gallery", "vector.npy"),
    "search by picture": ("search", "gallery", "photos/3.png"),
    "search by words": ("search", "gallery", "red heart"),
}

PROGRAM = """
import os, sys
from nearkin.cli import main
try:
    main(sys.argv[2:])
finally:
    used = os.times()
    names = sorted({name.partition(".")[0] for name in sys.modules})
    with open(sys.argv[1], "w") as file:
        print(used.user + used.system, len(sys.modules), *names, file=file)
"""


def make_gallery(folder: Path) -> None:
    """`gallery`, `photos` and `vector.npy` in a folder; the encoder is untrained, and embeds words too."""
    (folder / "photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(PICTURES):
        pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    tokenizer = train_tokenizer(["red heart", "blue sky"])
    text = TextTower(TextTowerConfig(tokenizer.get_vocab_size(), dim=DIM, width=DIM))
    image = ImageTower(ImageTowerConfig("conv4", dim=DIM))
    gallery = Gallery.create(folder / "gallery", Encoder(image, Preprocessing(height=32, width=32), text, tokenizer))
    gallery.add(folder / "photos")
    gallery.search(7)
    np.save(folder / "vector.npy", generator.standard_normal(DIM))


def run(arguments: tuple[str, ...], made: Path) -> tuple[float, int, list[str], int]:
    """Seconds of processor time, modules, top-level names, and the exit code of one command on a fresh copy."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "copy")
        shutil.copytree(made, folder)
        measured = Path(name, "measured")
        command = [sys.executable, "-c", PROGRAM, str(measured), *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True)
        seconds, modules, *names = measured.read_text().split()
        return float(seconds), int(modules), names, ran.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        make_gallery(Path(name))
        print("| command | seconds of processor time | modules | heavy packages | exit code |\n|---|---|---|---|---|")
        for command, arguments in COMMANDS.items():
            best = min((run(arguments, Path(name)) for _ in range(runs)), key=lambda result: result[0])
            seconds, modules, names, code = best
            heavy = ", ".join(sorted(set(names) & set(HEAVY))) or "none"
            print(f"| {command} | {seconds:.2f} | {modules:,} | {heavy} | {code} |", flush=True)


if __name__ == "__main__":
    main()
