"""200 rejected and 50 ignored pictures: how many bind after kills, a restart, compaction, and two changes of model.

    python benchmarks/corrections_bind.py PICTURES MODEL OTHER_MODEL [--kills 4] [--folder FOLDER]

PICTURES is a folder of pictures for each class. The corrections are made by a process that is killed (SIGKILL) and
started again, and so are both changes of model: while items are embedded, while examples are, and between. A correction
binds if the picture, and the picture saved again as JPEG, does not get the name that was rejected, or any name at all.
The gallery's own check is made after each.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from nearkin.encoders.encoder import Encoder
from nearkin.gallery.classes.registry import ClassRegistry
from nearkin.gallery.gallery import Gallery

CLASSES, EXAMPLES, REJECTED, IGNORED, ITEMS = 40, 2, 200, 50, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("models", nargs=2)
    parser.add_argument("--kills", type=int, default=4, help="of each of the three processes")
    parser.add_argument("--folder", type=Path, help="keep the gallery here")
    parser.add_argument("--part", choices=["correct", "reindex"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    pictures = chosen(asked.pictures)
    if asked.part == "correct":
        correct(asked.folder / "gallery", *pictures)
    elif asked.part == "reindex":
        reindex(asked.folder / "gallery", asked.models[0])
    else:
        run(asked, *pictures)


def run(asked: argparse.Namespace, rejected: list[tuple[Path, str]], ignored: list[Path]) -> None:
    asked.folder = asked.folder or Path(tempfile.mkdtemp())
    path, moments = asked.folder / "gallery", random.Random(0)
    model, other = asked.models
    if not Gallery.is_at(path):
        gallery = Gallery.create(path, Encoder.from_pretrained(model))
        classes = sorted({picture.parent for picture, _ in rejected})[:CLASSES]
        gallery.add([picture for each in classes for picture in sorted(each.iterdir())[10:]][:ITEMS])
        for each in classes:
            gallery.enroll(each.name, sorted(each.iterdir())[:EXAMPLES], force=True)
    print("| after | rejected bind | copies | ignored bind | copies | faults found |\n|---|---|---|---|---|---|")
    times = killed(asked, "correct", moments)
    bind(asked.folder, rejected, ignored, f"{times} kills in the corrections, and a restart")
    gallery = Gallery.open(path)
    gallery._registry.log.compact()
    bind(asked.folder, rejected, ignored, "compaction")
    for name, new in (("another model", other), ("the first model", model)):
        asked.models = [new, new]
        times = killed(asked, "reindex", moments)
        bind(asked.folder, rejected, ignored, f"{times} kills in a change to {name}")


def chosen(pictures: Path) -> tuple[list[tuple[Path, str]], list[Path]]:
    """Pictures that are no examples: with the name that each is rejected for, and those that are to be ignored."""
    folders = [each for each in sorted(pictures.iterdir()) if each.is_dir() and len(list(each.iterdir())) >= 20]
    names = [each.name for each in folders[:CLASSES]]
    # Each is rejected for its own class, which it would get most easily.
    each_class = REJECTED // CLASSES
    rejected = [
        (picture, name)
        for folder, name in zip(folders, names, strict=False)
        for picture in sorted(folder.iterdir())[EXAMPLES : EXAMPLES + each_class]
    ]
    ignored = [sorted(folders[number % CLASSES].iterdir())[8 + number // CLASSES] for number in range(IGNORED)]
    return rejected, ignored


def correct(path: Path, rejected: list[tuple[Path, str]], ignored: list[Path]) -> None:
    """Go on with the corrections where an earlier process was killed; each is one call."""
    gallery = Gallery.open(path)
    said = sum(each["action"] in ("reject", "ignore") for each in gallery.class_changes())
    for number, (picture, name) in enumerate(rejected):
        if number >= said:
            gallery.reject(picture, name)
            print("said", flush=True)
    for number, picture in enumerate(ignored, start=len(rejected)):
        if number >= said:
            gallery.ignore(picture)
            print("said", flush=True)


def reindex(path: Path, model: str) -> None:
    """Say when items and when examples have been embedded."""
    gallery, keep = Gallery.open(path), ClassRegistry.keep

    def kept(*arguments: object) -> None:
        keep(*arguments)  # type: ignore[arg-type]
        print("said", flush=True)

    ClassRegistry.keep = kept  # type: ignore[method-assign,assignment]
    encoder = Encoder.from_pretrained(model)
    # The process may have been killed just after it had done all.
    if gallery.fingerprint != encoder.fingerprint:
        gallery.reindex(encoder, progress=lambda *_: print("said", flush=True))


def killed(asked: argparse.Namespace, part: str, moments: random.Random) -> int:
    """Run a part until it is done; the first processes are killed at some moment. Says how many were."""
    command = [sys.executable, __file__, str(asked.pictures), *asked.models, "--folder", str(asked.folder)]
    times = 0
    while True:
        with subprocess.Popen([*command, "--part", part], stdout=subprocess.PIPE, env=os.environ) as process:
            assert process.stdout
            enough = moments.randrange(1, 60 if part == "correct" else 4) if times < asked.kills else -1
            for count, _ in enumerate(process.stdout, start=1):
                if count == enough:
                    try:
                        process.wait(moments.uniform(0, 0.2))
                    except subprocess.TimeoutExpired:
                        process.send_signal(signal.SIGKILL)
                        times += 1
            code = process.wait()
        if code == 0:
            return times
        assert code == -signal.SIGKILL, f"the process failed by itself: {code}"


def bind(folder: Path, rejected: list[tuple[Path, str]], ignored: list[Path], after: str) -> None:
    """A row: how many of the corrections bind."""
    gallery = Gallery.open(folder / "gallery")
    cells = []
    for copied in (False, True):
        asked = [picture for picture, _ in rejected] + ignored
        queries = [saved_again(picture, folder) for picture in asked] if copied else asked
        answers = gallery.recognize(queries, k=CLASSES)
        names = [{one.name for one in answer.candidates} for answer in answers]  # type: ignore[union-attr]
        bound = sum(name not in found for (_, name), found in zip(rejected, names, strict=False))
        cells += [
            f"{bound} of {len(rejected)}",
            f"{sum(not each for each in names[len(rejected) :])} of {len(ignored)}",
        ]
    faults = "; ".join(gallery.check().faults) or "none"
    print(f"| {after} | {cells[0]} | {cells[2]} | {cells[1]} | {cells[3]} | {faults} |", flush=True)


def saved_again(picture: Path, folder: Path) -> Path:
    copy = folder / "copies" / picture.parent.name / f"{picture.stem}.jpg"
    copy.parent.mkdir(parents=True, exist_ok=True)
    Image.open(picture).convert("RGB").save(copy, quality=75)
    return copy


if __name__ == "__main__":
    main()
