"""Pictures a second in training: `nearkin.train` against a plain PyTorch loop; prints a Markdown table.

    python benchmarks/training_speed.py --data DIR [--only omniglot large] [--pictures 1024] [--workers 0]

The plain loop is what one writes by hand: a Dataset of files with Pillow, the same views by torchvision's transforms v2
picture by picture, a DataLoader, pytorch-metric-learning's MPerClassSampler, and its TripletMarginLoss with the same
formula. Both sides train the same network, of the same random weights, with AdamW in the same precision. A round is one
epoch of theirs and a run of ours, of which the second epoch counts; the ratio is taken within the round. "net
alone" is forward, loss, backward and step over a batch that lies ready, which no loop can save.

Without workers, times are processor seconds of one thread, so that other work on the machine does not count: pictures a
second of one core. With `--workers`, their loader decodes in so many processes beside the training, and times are wall
seconds: for a machine that has nothing else to do.

DIR holds `omniglot_background/images_background` and `caltech101_128`. The large pictures are 200 of Caltech's
enlarged to 4000 x 3000, with the grain of a camera, and saved as JPEG.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from pytorch_metric_learning import distances, losses, samplers
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from nearkin.data.images import Preprocessing
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.losses import triplet_loss
from nearkin.training.train import train

BATCH, PER_CLASS, DIM, MARGIN, RATE = 128, 4, 128, 0.2, 1e-3


class Case(NamedTuple):
    """One row of the table."""

    folder: str
    label: str | None
    backbone: str
    size: int
    channels: int
    augmentation: str


CASES = {
    "omniglot": Case("omniglot_background/images_background", "path", "conv4", 48, 1, "drawing"),
    "caltech": Case("caltech101_128", None, "conv4", 64, 3, "photo"),
    "caltech, resnet18": Case("caltech101_128", None, "resnet18", 64, 3, "photo"),
    "large": Case("large", None, "conv4", 64, 3, "photo"),
    "large, resnet18": Case("large", None, "resnet18", 128, 3, "photo"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=CASES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=1024, help="of a set, or 200 large ones at most")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    clock = time.perf_counter if options.workers else time.process_time
    torch.set_num_threads(1)
    print("| pictures | backbone | side | nearkin, pictures/s | plain loop | ratio | net alone |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only:
            case = CASES[name]
            items = pick(case, options.data, Path(scratch), options.pictures)
            ours, theirs, alone = [], [], []
            for number in range(options.rounds):
                theirs.append(plain_epoch(case, items, options.workers, clock))
                ours.append(nearkin_epoch(case, items, Path(scratch) / f"{name} {number}", clock))
                alone.append(net_alone(case, clock))
            ratios = sorted(mine / other for mine, other in zip(ours, theirs, strict=True))
            print(
                f"| {name.split(',')[0]}, {len(items):,} | {case.backbone} | {case.size} | {median(ours):,.0f} "
                f"| {median(theirs):,.0f} | {median(ratios):.1f} ({ratios[0]:.1f}-{ratios[-1]:.1f}) "
                f"| {median(alone):,.0f} |",
                flush=True,
            )


def pick(case: Case, data: Path, scratch: Path, count: int) -> Items:
    """So many pictures, at most 20 of a class: a batch wants 32 classes."""
    if case.folder == "large":
        return read_items(enlarge(data / "caltech101_128", scratch / "large", min(count, 200)))
    items = read_items(data / case.folder, label=case.label)
    labels, order = items.label_ids()[0], np.random.default_rng(0).permutation(len(items.label_ids()[1]))
    rows = np.concatenate([np.flatnonzero(labels == label)[:20] for label in order])
    return items.select(np.sort(rows[:count]))


def enlarge(source: Path, folder: Path, count: int) -> Path:
    """`count` pictures of fifty classes at 4000 x 3000, of about the size in bytes that a camera makes."""
    if not folder.exists():
        items, random = read_items(source), np.random.default_rng(0)
        # Without grain, enlarged pictures are smooth, and decode sooner than those of a camera.
        grain = random.normal(0, 4, (3000, 4000, 1)).astype(np.float32)
        for name in sorted(set(items.labels))[:50]:
            rows = [row for row, label in enumerate(items.labels) if label == name][: count // 50]
            (folder / str(name)).mkdir(parents=True)
            for row in rows:
                with Image.open(items.pictures[row].uri) as picture:
                    large = np.asarray(picture.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC))
                noisy = np.clip(large + np.roll(grain, int(random.integers(4000)), axis=1), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder / str(name) / f"{row}.jpg", quality=90)
    return folder


def encoder(case: Case) -> Encoder:
    torch.manual_seed(0)
    pooling = "flatten" if case.backbone == "conv4" else "avg"
    config = ImageTowerConfig(case.backbone, DIM, case.channels, case.size, case.size, pooling)
    return Encoder(ImageTower(config), Preprocessing(case.size, case.size, case.channels))


def autocast() -> AbstractContextManager[None]:
    """The precision that nearkin chooses on this machine."""
    return torch.autocast("cpu", torch.bfloat16, enabled=getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())


# -- nearkin -------------------------------------------------------------------------------------------------------


def nearkin_epoch(case: Case, items: Items, out: Path, clock: Callable[[], float]) -> float:
    """Pictures a second in the second epoch; the first and the third, the last, are validated, and do not count."""
    ends: list[float] = []
    train(
        items,
        out=out,
        loss="triplet",
        loss_options={"margin": MARGIN},
        backbone=case.backbone,
        size=case.size,
        channels=case.channels,
        augmentation=case.augmentation,
        batch_size=BATCH,
        per_class=PER_CLASS,
        dim=DIM,
        epochs=3,
        validate_every=100,
        val_fraction=0.1,
        threads=1,
        on_epoch=lambda _: ends.append(clock()),
    )
    count = len(read_items(out / "train.csv"))
    shutil.rmtree(out)
    return count / (ends[1] - ends[0])


# -- the plain loop ------------------------------------------------------------------------------------------------


class Files(Dataset):
    """Pictures and class ids, decoded and changed one by one."""

    def __init__(self, items: Items, case: Case) -> None:
        self.paths, self.labels = items.uris, items.label_ids()[0]
        self.mode = "L" if case.channels == 1 else "RGB"
        photo = case.augmentation == "photo"
        side = (case.size, case.size)
        steps: list[Any] = [v2.Resize(side), v2.ToImage()]
        if photo:
            steps += [v2.RandomAffine(10, (0.1, 0.1), (0.8, 1.25)), v2.RandomHorizontalFlip()]
            steps += [v2.ColorJitter(0.3, 0.3, 0.3), v2.ToDtype(torch.float32, scale=True), v2.RandomErasing(1.0)]
        else:
            steps += [v2.RandomAffine(10, (0.06, 0.06), (0.83, 1.2), 8), v2.ToDtype(torch.float32, scale=True)]
        self.views = v2.Compose([*steps, v2.Normalize([0.5], [0.5])])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.paths[row]) as picture:
            return self.views(picture.convert(self.mode)), int(self.labels[row])


def plain_epoch(case: Case, items: Items, workers: int, clock: Callable[[], float]) -> float:
    """Pictures a second in an epoch; without workers, decoding in this process, where its time is counted."""
    files = Files(items, case)
    batch = min(BATCH, len(items))
    sampler = samplers.MPerClassSampler(files.labels, PER_CLASS, batch, length_before_new_iter=len(items))
    return run_steps(case, DataLoader(files, batch, sampler=sampler, num_workers=workers), clock, plain=True)


def run_steps(
    case: Case, batches: Iterable[tuple[torch.Tensor, torch.Tensor]], clock: Callable[[], float], *, plain: bool
) -> float:
    """Train on the batches; pictures a second."""
    model = encoder(case).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    theirs = losses.TripletMarginLoss(margin=MARGIN, distance=distances.LpDistance(power=2))
    count, started = 0, clock()
    for pictures, labels in batches:
        with autocast():
            embeddings = model.forward_images(pictures.contiguous(memory_format=torch.channels_last))
        value = theirs(embeddings, labels) if plain else triplet_loss(embeddings, labels, margin=MARGIN)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        count += len(labels)
    return count / (clock() - started)


def net_alone(case: Case, clock: Callable[[], float], steps: int = 4) -> float:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(BATCH, case.channels, case.size, case.size, generator=generator)
    labels = torch.arange(BATCH) // PER_CLASS
    return run_steps(case, [(pictures, labels)] * steps, clock, plain=False)


if __name__ == "__main__":
    sys.exit(main())
