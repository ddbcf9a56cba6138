"""Faces: are they found, told apart, and named?

    python benchmarks/faces.py pairs --data DIR [--scratch runs/recipes/lfw] [--vectors VECTORS.npz]
    python benchmarks/faces.py cut --data DIR
    python benchmarks/faces.py detectors --data DIR [--detector mtcnn dlib-hog dlib-cnn] [--confidence 0.95]
    python benchmarks/faces.py recognize --data DIR [--photos 40] [--enrolled 1 3]
    python benchmarks/faces.py boxes --data DIR [--sheet boxes.png]

DIR holds the unpacked sets: lfw90_folds1-5 (crops of 90 x 90 pixels; `lfw`, `pairs.txt`), caltech101_128, flickr8k_128
and orl.

`pairs` embeds the pictures of LFW's folds 1 to 5 by the start `faces`. Accuracy: each fold at the threshold that is
best on the four others. TAR at 1 % is of the listed pairs; 1,500 pairs of different people cannot tell 0.1 %, so this
one is of all pairs of these pictures. A model trained from scratch without the people of fold 5 (`recipes/run.py lfw`)
is judged on fold 5, at the threshold of its own calibration. `--vectors` keeps the embeddings.

`cut` asks what LFW's narrow crops cost: ORL's heads (40 people, ten pictures each), whole, cut as LFW's are, without
chin and hair, at the same size in pixels, and as blurred as those are, by 45 pixels; all pairs.

`detectors` composes photos of 640 x 480 pixels: ten faces each, of five sizes and five rotations, pasted with soft
edges on pictures of caltech101 and flickr8k. `crops` are LFW's, which have no chin and no hair; `heads` are whole heads
of caltech101 (Faces_easy) and ORL. The size is the side of a square from the brows to the chin. A face is found if the
middle of a box lies within a third of its size from its own, and the box is half to twice as large. False finds are
boxes in photos of caltech101 without people, enlarged to 640 pixels, beside photos of things that have faces, such as
statues and cartoons. Intervals are over photos, those of false finds over classes. Times are CPU time of one thread.

`recognize` goes the whole way, photo by photo: five people are enrolled from other pictures of them, 300 pictures of
300 others measure the threshold, and a photo of these five and three strangers is composed, searched for faces, and
asked for names. Nobody is in two photos as long as there are people enough.

`boxes` compares the boxes of MTCNN with those of dlib, which the landmarks are trained for, on heads that both find.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from nearkin.data.box import Box
from nearkin.data.detectors import DETECTORS, Face
from nearkin.data.detectors._detector import square
from nearkin.data.face_alignment import landmarks
from nearkin.data.face_finder import find_faces
from nearkin.data.items import Items, Picture
from nearkin.data.pairs import Pairs
from nearkin.encoders.encoder import Encoder
from nearkin.evaluation.metrics.all_pairs import verification_all_pairs
from nearkin.evaluation.metrics.verification import verification
from nearkin.gallery.gallery import Gallery
from nearkin.intervals.bootstrap import bootstrap_mean, bootstrap_median
from nearkin.intervals.dyadic import MeanOverPairs
from nearkin.intervals.figure import Figure
from nearkin.tasks.detect import regions_of
from nearkin.tasks.embedded import embed_items

PHOTO = (640, 480)
SIZES, TURNS, EACH = (20, 30, 45, 60, 90), (-30, -15, 0, 15, 30), 10
# Classes of caltech101 whose photos show nobody, and those that show other faces.
PLAIN = (
    "airplanes", "anchor", "barrel", "binocular", "butterfly", "cannon", "ceiling_fan", "chandelier", "crab",
    "crocodile", "cup", "dolphin", "elephant", "ferry", "flamingo", "gramophone", "helicopter", "ibis", "joshua_tree",
    "ketch", "lamp", "lotus", "menorah", "minaret", "nautilus", "okapi", "pigeon", "platypus", "revolver", "rhino",
    "scissors", "scorpion", "stapler", "starfish", "stop_sign", "sunflower", "tick", "water_lilly", "windsor_chair",
    "yin_yang",
)  # fmt: skip
OTHER_FACES = ("buddha", "cougar_face", "dalmatian", "garfield", "llama", "panda", "snoopy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pairs", "cut", "detectors", "recognize", "boxes"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", help="run folder of a model trained without the people of fold 5")
    parser.add_argument("--vectors", type=Path, help="read embeddings from here if it is there, and write them else")
    parser.add_argument("--detector", nargs="+", default=list(DETECTORS.names))
    parser.add_argument("--confidence", type=float, default=0.0, help="leave out faces that are less sure")
    parser.add_argument("--photos", type=int)
    parser.add_argument("--plain", type=int, default=300)
    parser.add_argument("--enrolled", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--sheet", type=Path, help="picture of the first photos, with what was found")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    if given.what == "pairs":
        pairs(given.data / "lfw90_folds1-5", given.scratch, given.vectors)
    elif given.what == "cut":
        cut(given.data)
    elif given.what == "detectors":
        detectors(given.data, given.detector, given.confidence, given.photos or 120, given.plain, given.sheet)
    elif given.what == "recognize":
        for enrolled in given.enrolled:
            recognize(given.data, given.photos or 40, enrolled, given.sheet)
    else:
        boxes(given.data)


def shown(figure: Figure, digits: int = 1) -> str:
    """A share in percent, with its interval."""
    if figure.low is None or figure.high is None:
        return f"{100 * figure.value:.{digits}f} %"
    return f"{100 * figure.value:.{digits}f} % [{100 * figure.low:.{digits}f}, {100 * figure.high:.{digits}f}]"


# Pairs


@dataclass(frozen=True)
class LfwPairs:
    """Pairs of LFW: rows of the two pictures in `items`, whether they are the same, and the fold from 1."""

    items: Items
    rows: np.ndarray
    same: np.ndarray
    folds: np.ndarray

    @staticmethod
    def read(folder: Path) -> "LfwPairs":
        listed = list(Pairs(folder / "pairs.txt"))
        uris = sorted({picture.uri for pair in listed for picture in pair.pictures})
        row_of = {uri: row for row, uri in enumerate(uris)}
        items = Items.build([Picture(uri) for uri in uris], labels=[Path(uri).parent.name for uri in uris])
        rows = np.array([[row_of[picture.uri] for picture in pair.pictures] for pair in listed])
        return LfwPairs(items, rows, np.array([pair.same for pair in listed]), np.array([int(p.fold) for p in listed]))

    @property
    def people(self) -> np.ndarray:
        """The person of each picture."""
        return self.items.label_ids()[0]

    def of(self, folds: Sequence[int]) -> np.ndarray:
        return np.isin(self.folds, folds)


def pairs(folder: Path, scratch: str | None, kept: Path | None) -> None:
    """The table of figures."""
    lfw = LfwPairs.read(folder)
    vectors = embedded("faces", lfw.items, kept)
    print("| model | pairs of | accuracy | TAR at FAR 1 % | all pairs: TAR at 1 % | at 0.1 % | at 0.01 % |")
    print("|---|---|---|---|---|---|---|")
    scores, every = scores_of(vectors, lfw), np.arange(1, 6)
    figures = verification(scores, lfw.same, classes=lfw.people[lfw.rows], folds=lfw.folds)
    print_row("faces", "folds 1 to 5", figures["accuracy"], figures, vectors, lfw, every)
    limit = best_threshold_of(scores, lfw, [1, 2, 3, 4])
    print_row("faces", "fold 5", right_at(limit, scores, lfw), fold_5(scores, lfw), vectors, lfw, [5])
    if scratch is not None:
        encoder = Encoder.from_pretrained(scratch)
        vectors = embedded(encoder, lfw.items, None)
        scores = scores_of(vectors, lfw)
        curve = encoder.checked_calibration().curve
        limit = curve.scores[int(np.argmax(np.array(curve.tar) - np.array(curve.far)))]
        print_row("from scratch", "fold 5", right_at(limit, scores, lfw), fold_5(scores, lfw), vectors, lfw, [5])


def embedded(model: "str | Encoder", items: Items, kept: Path | None) -> np.ndarray:
    if kept is not None and kept.exists():
        return np.load(kept)["vectors"]
    encoder = Encoder.from_pretrained(model) if isinstance(model, str) else model
    begun = time.process_time()
    vectors = embed_items(encoder, items, strict=True).vectors
    print(
        f"{1000 * (time.process_time() - begun) / len(items):.0f} ms of CPU time a picture, {len(items):,} pictures\n"
    )
    if kept is not None:
        np.savez(kept, vectors=vectors)
    return vectors


def scores_of(vectors: np.ndarray, lfw: LfwPairs) -> np.ndarray:
    return np.einsum("pd,pd->p", vectors[lfw.rows[:, 0]], vectors[lfw.rows[:, 1]]).astype(np.float64)


def best_threshold_of(scores: np.ndarray, lfw: LfwPairs, folds: Sequence[int]) -> float:
    from nearkin.evaluation.metrics.verification import best_threshold

    inside = lfw.of(folds)
    return best_threshold(scores[inside], lfw.same[inside])


def fold_5(scores: np.ndarray, lfw: LfwPairs) -> dict[str, Figure]:
    """TAR of the 300 pairs of different people cannot tell 1 %, so that none is given there."""
    inside = lfw.of([5])
    return verification(scores[inside], lfw.same[inside], classes=lfw.people[lfw.rows[inside]])


def right_at(limit: float, scores: np.ndarray, lfw: LfwPairs) -> Figure:
    """Share of fold 5's pairs told right at a threshold."""
    inside = lfw.of([5])
    right = ((scores[inside] >= limit) == lfw.same[inside]).astype(float)
    value, n = float(right.mean()), len(right)
    return MeanOverPairs(value, (right - value) / n, lfw.people[lfw.rows[inside]], independent=n / 2, n=n).figure()


def print_row(
    model: str,
    name: str,
    accuracy: Figure,
    figures: dict[str, Figure],
    vectors: np.ndarray,
    lfw: LfwPairs,
    folds: Sequence[int],
) -> None:
    rows = np.unique(lfw.rows[lfw.of(folds)])
    of_all = verification_all_pairs(vectors[rows], lfw.people[rows])
    cells = [figures.get("tar@far=1e-2"), *(of_all.get(f"tar@far=1e-{power}") for power in (2, 3, 4))]
    print(
        f"| {model} | {name} | {shown(accuracy)} |",
        " | ".join("-" if one is None else shown(one) for one in cells),
        "|",
    )


# Outer corners of the eyes in LFW's crops: x of either and y of both, as shares of the width; medians of 318 pictures.
CUT = (0.182, 0.814, 0.381)


def cut(data: Path) -> None:
    """Verification of whole heads, and of the same cut like LFW's."""
    paths = sorted((data / "orl").rglob("*.pgm"))
    labels = [path.parent.name for path in paths]
    of_kind: dict[str, dict[str, Figure]] = {}
    with TemporaryDirectory() as folder:
        kinds: dict[str, list[str]] = {"whole": [], "cut": [], "cut and blurred": []}
        for number, path in enumerate(paths):
            picture = Image.open(path).convert("RGB")
            large = picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.BICUBIC)
            faces = find_faces(large, "mtcnn", largest=True)
            x, y, width = PLACES["orl_faces"]
            box = faces[0].box if faces else square(x * large.width, y * large.width, width * large.width)
            left, right = landmarks(large, box)[[0, 2]]
            side = (right[0] - left[0]) / (CUT[1] - CUT[0])
            corner = left[0] - CUT[0] * side, (left[1] + right[1]) / 2 - CUT[2] * side
            part = large.crop((*(round(one) for one in corner), *(round(one + side) for one in corner)))
            scale = 90 / side
            for kind, one in (
                ("whole", large.resize((round(large.width * scale), round(large.height * scale)))),
                ("cut", part.resize((90, 90))),
                ("cut and blurred", part.resize((45, 45)).resize((90, 90), Image.Resampling.BICUBIC)),
            ):
                kinds[kind].append(str(Path(folder) / f"{number}_{kind}.png"))
                one.save(kinds[kind][-1])
        for kind, uris in kinds.items():
            items = Items.build([Picture(uri) for uri in uris], labels=labels)
            of_kind[kind] = verification_all_pairs(embedded("faces", items, None), items.label_ids()[0])
    names = ("eer", "tar@far=1e-2", "tar@far=1e-3")
    print(f"| ORL, {len(paths)} pictures of {len(set(labels))} people | EER | TAR at FAR 1 % | at 0.1 % |")
    print("|---|---|---|---|")
    for kind, figures in of_kind.items():
        print(f"| {kind} | {' | '.join(shown(figures[name]) for name in names)} |")


# Photos of many faces


@dataclass(frozen=True)
class Source:
    """A picture of a face, and where in it the face lies, as shares of its width."""

    path: Path
    person: str
    place: tuple[float, float, float]


@dataclass(frozen=True)
class Placed:
    """A face in a photo: its middle and its side in pixels, and how it is turned in degrees."""

    x: float
    y: float
    size: int
    turn: int
    person: str

    def is_found_by(self, box: Box) -> bool:
        away = np.hypot(box.x + box.width / 2 - self.x, box.y + box.height / 2 - self.y)
        return bool(away < self.size / 3 and 0.5 < box.width / self.size < 2)


# Middle and side of the face in the pictures of each set, as shares of the width: medians by `boxes`.
PLACES = {"Faces_easy": (0.49, 0.68, 0.56), "orl_faces": (0.47, 0.74, 0.81), "lfw": (0.5, 0.55, 1.0)}


def crops(data: Path) -> list[Source]:
    """A picture of each person of LFW."""
    folders = sorted((data / "lfw90_folds1-5/lfw").iterdir())
    return [Source(min(folder.iterdir()), folder.name, PLACES["lfw"]) for folder in folders]


def heads(data: Path) -> list[Source]:
    """Whole heads of caltech101 and ORL."""
    paths = [*sorted((data / "caltech101_128/Faces_easy").iterdir()), *sorted((data / "orl").rglob("*.pgm"))]
    return [Source(path, str(path), PLACES[path.relative_to(data).parts[1]]) for path in paths]


def backgrounds(data: Path, generator: np.random.Generator) -> Iterator[Path]:
    """Of caltech101 without people, and of flickr8k, by turns."""
    plain = [path for name in PLAIN for path in sorted((data / "caltech101_128" / name).iterdir())]
    flickr = sorted((data / "flickr8k_128/images").rglob("*.jpg"))
    while True:
        for several in (plain, flickr):
            yield several[generator.integers(len(several))]


def enlarged(path: Path) -> Image.Image:
    """A picture, filling a photo."""
    picture = Image.open(path).convert("RGB")
    scale = max(PHOTO[0] / picture.width, PHOTO[1] / picture.height)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC).crop(
        (0, 0, *PHOTO)
    )


def composed(
    background: Image.Image, faces: Sequence[tuple[Source, int, int]], generator: np.random.Generator
) -> tuple[Image.Image, list[Placed]]:
    """A photo of faces `(source, size, turn)` at random places, none over another."""
    photo, placed, taken = background.copy(), [], []
    for source, size, turn in sorted(faces, key=lambda one: -one[1]):
        picture = Image.open(source.path).convert("RGB")
        across, down, side = source.place
        scale = size / (side * picture.width)
        picture = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
        )
        soft = max(1, round(0.04 * picture.width))
        mask = Image.new("L", picture.size, 0)
        mask.paste(255, (soft, soft, picture.width - soft, picture.height - soft))
        mask = mask.filter(ImageFilter.GaussianBlur(soft / 2)).rotate(turn, Image.Resampling.BICUBIC, expand=True)
        # The middle of the face goes round with the picture; angles are against the clock, y goes down.
        from_middle = np.array([across * picture.width - picture.width / 2, down * picture.width - picture.height / 2])
        angle = np.deg2rad(turn)
        from_middle = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ from_middle
        turned = picture.rotate(turn, Image.Resampling.BICUBIC, expand=True)
        for _ in range(500):
            left, top = (int(generator.integers(PHOTO[axis] - turned.size[axis] + 1)) for axis in (0, 1))
            spot = left, top, left + turned.width, top + turned.height
            if all(spot[2] <= a or spot[0] >= c or spot[3] <= b or spot[1] >= d for a, b, c, d in taken):
                break
        else:
            raise RuntimeError("no place left in the photo")
        taken.append(spot)
        photo.paste(turned, spot, mask)
        x, y = np.array([left + turned.width / 2, top + turned.height / 2]) + from_middle
        placed.append(Placed(float(x), float(y), size, turn, source.person))
    return photo, placed


def detectors(data: Path, names: Sequence[str], confidence: float, photos: int, plain: int, sheet: Path | None) -> None:
    """Recall by size and by rotation, false finds and time, of each detector."""
    columns = [f"{size} px" for size in SIZES] + ["upright", "15 degrees", "30 degrees"]
    tables: dict[str, list[str]] = {name: [] for name in ("crops", "heads")}
    times: dict[str, list[float]] = {name: [] for name in names}
    drawn: list[Image.Image] = []
    for pool, of in (("crops", crops(data)), ("heads", heads(data))):
        generator = np.random.default_rng(0)
        order, sizes = generator.permutation(len(of)), np.resize(SIZES, EACH)
        ground = backgrounds(data, generator)
        found: dict[str, list[tuple[int, Placed, bool]]] = {name: [] for name in names}
        for number in range(photos):
            chosen = [of[order[(number * EACH + one) % len(order)]] for one in range(EACH)]
            faces = [(s, int(size), int(generator.choice(TURNS))) for s, size in zip(chosen, sizes, strict=True)]
            photo, placed = composed(enlarged(next(ground)), faces, generator)
            for name in names:
                begun = time.process_time()
                answers = [face for face in find_faces(photo, name) if face.confidence >= confidence]
                times[name].append(time.process_time() - begun)
                found[name] += [(number, one, any(one.is_found_by(face.box) for face in answers)) for one in placed]
                if number < 4:
                    drawn.append(with_boxes(photo, placed, answers))
        for name in names:
            tables[pool].append(recall_row(name, found[name], photos))
    for pool, rows in tables.items():
        print(f"{pool}: recall by size at any rotation, and by rotation from 45 pixels on\n")
        print(f"| detector | photos | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 2)}")
        print("\n".join(rows), end="\n\n")
    print("| detector | photos with a false find | false finds | the same of statues, cartoons, animals | CPU time |")
    print("|---|---|---|---|---|")
    for name in names:
        cells = []
        for classes in (PLAIN, OTHER_FACES):
            counts, groups = false_finds(data, classes, plain, name, confidence, times[name], drawn)
            share = shown(bootstrap_mean(counts > 0, groups=groups, within=(0.0, 1.0)))
            cells += [share, f"{counts.sum()} in {len(counts)} photos"]
        print(f"| {name} | {' | '.join(cells[:3])} | {1000 * np.median(times[name]):.0f} ms a photo |", flush=True)
    if sheet is not None:
        whole = Image.new("RGB", (PHOTO[0] * 4, PHOTO[1] * -(-len(drawn) // 4)))
        for number, one in enumerate(drawn):
            whole.paste(one, (PHOTO[0] * (number % 4), PHOTO[1] * (number // 4)))
        whole.save(sheet)


def recall_row(name: str, found: Sequence[tuple[int, Placed, bool]], photos: int) -> str:
    def recall(chosen: Sequence[bool]) -> str:
        kept = [one for one, wanted in zip(found, chosen, strict=True) if wanted]
        return shown(bootstrap_mean([hit for *_, hit in kept], groups=[n for n, *_ in kept], within=(0.0, 1.0)))

    cells = [recall([one.size == size for _, one, _ in found]) for size in SIZES]
    cells += [recall([abs(one.turn) == turn and one.size >= 45 for _, one, _ in found]) for turn in (0, 15, 30)]
    return f"| {name} | {photos} | {' | '.join(cells)} |"


def false_finds(
    data: Path,
    classes: Sequence[str],
    photos: int,
    name: str,
    confidence: float,
    times: list[float],
    drawn: list[Image.Image],
) -> tuple[np.ndarray, np.ndarray]:
    """How many boxes there are in each photo, and its class; as many photos of each class."""
    counts, groups = [], []
    for number, of_class in enumerate(classes):
        paths = sorted((data / "caltech101_128" / of_class).iterdir())
        for path in paths[:: max(1, len(paths) * len(classes) // photos)][: max(1, photos // len(classes))]:
            photo = enlarged(path)
            begun = time.process_time()
            answers = [face for face in find_faces(photo, name) if face.confidence >= confidence]
            times.append(time.process_time() - begun)
            counts.append(len(answers))
            groups.append(number)
            if answers and classes is PLAIN:
                drawn.append(with_boxes(photo, [], answers))
    return np.array(counts), np.array(groups)


def with_boxes(photo: Image.Image, placed: Sequence[Placed], answers: Sequence[Face]) -> Image.Image:
    """A photo with the faces in green and what was found in red."""
    drawn = photo.copy()
    draw = ImageDraw.Draw(drawn)
    for one in placed:
        draw.ellipse(
            (one.x - one.size / 2, one.y - one.size / 2, one.x + one.size / 2, one.y + one.size / 2), outline="lime"
        )
    for face in answers:
        x, y, width, height = face.box.numbers
        draw.rectangle((x, y, x + width, y + height), outline="red")
    return drawn


# The whole way


def recognize(data: Path, photos: int, enrolled: int, sheet: Path | None) -> None:
    """Photos of five people who are enrolled and three who are not."""
    generator = np.random.default_rng(0)
    of_person = {folder.name: sorted(folder.iterdir()) for folder in sorted((data / "lfw90_folds1-5/lfw").iterdir())}
    known = generator.permutation([name for name, paths in of_person.items() if len(paths) > enrolled])
    others = generator.permutation([name for name, paths in of_person.items() if len(paths) == 1])
    outcomes: list[tuple[int, bool, str, bool]] = []
    extra = 0
    with TemporaryDirectory() as folder:
        gallery = Gallery.create(Path(folder) / "people", encoder=Encoder.from_pretrained("faces"))
        gallery.add([str(of_person[name][0]) for name in others[:300]])
        strangers, ground = iter(others[300:]), backgrounds(data, generator)
        for number in range(photos):
            five = [str(known[(5 * number + one) % len(known)]) for one in range(5)]
            three = [str(next(strangers)) for _ in range(3)]
            for name in five:
                gallery.enroll(name, [str(path) for path in of_person[name][:enrolled]], force=True)
            shows = [Source(of_person[name][enrolled], name, PLACES["lfw"]) for name in five]
            shows += [Source(of_person[name][0], name, PLACES["lfw"]) for name in three]
            faces = [(one, int(generator.choice((60, 75, 90))), int(generator.choice((-15, 0, 15)))) for one in shows]
            photo, placed = composed(enlarged(next(ground)), faces, generator)
            path = Path(folder) / f"{number}.png"
            photo.save(path)
            regions, _ = regions_of([str(path)])
            answers = gallery.recognize(regions, strangers="unnamed") if regions else []
            threshold = answers[0].threshold if answers else threshold
            found = [Picture(region).box for region in regions]
            for one in placed:
                row = next((row for row, box in enumerate(found) if one.is_found_by(box)), None)
                if row is None:
                    said = "not found"
                elif answers[row].decision != "name":
                    said = answers[row].decision
                else:
                    said = "right" if answers[row].name == one.person else "wrong"
                first = row is not None and answers[row].candidates[0].name == one.person
                outcomes.append((number, one.person in five, said, first))
            extra += sum(not any(one.is_found_by(box) for one in placed) for box in found)
            for name in five:
                gallery.forget(name, erase=True)
            if sheet is not None and number == 0:
                photo.save(sheet)
    print(
        f"{photos} photos, {enrolled} picture(s) of each person enrolled; threshold at {100 * threshold.fpir:.3g} %\n"
    )
    print("| people | named rightly | named wrongly | not sure | unknown | face not found | right name first |")
    print("|---|---|---|---|---|---|---|")
    for title, wanted in (("enrolled", True), ("strangers", False)):
        those = [(number, said, first) for number, is_known, said, first in outcomes if is_known == wanted]
        groups = [number for number, *_ in those]
        kinds = ("right", "wrong", "not sure", "unknown", "not found")
        answered = [[said == kind for _, said, _ in those] for kind in kinds]
        answered += [[first for *_, first in those]] * wanted
        cells = [shown(bootstrap_mean(each, groups=groups, within=(0.0, 1.0))) for each in answered]
        print(f"| {len(those)} {title} | {' | '.join(cells + ['-'] * (not wanted))} |")
    print(f"\nboxes beside the composed faces, with people of the background: {extra}\n", flush=True)


# Boxes


def boxes(data: Path) -> None:
    """Medians over heads that both find: how far down dlib's box is in MTCNN's, and its side, by MTCNN's height."""
    from nearkin.data.detectors.mtcnn import DOWN, SIDE

    down, side, places = [], [], {}
    for one in heads(data)[::2]:
        picture = Image.open(one.path).convert("RGB")
        picture = picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.BICUBIC)
        ours, theirs = (find_faces(picture, name, largest=True) for name in ("mtcnn", "dlib-hog"))
        if not ours or not theirs:
            continue
        mtcnn, dlib = ours[0].box, theirs[0].box
        height = mtcnn.width / SIDE
        top = mtcnn.y + mtcnn.height / 2 - DOWN * height
        down.append((dlib.y + dlib.height / 2 - top) / height)
        side.append(dlib.width / height)
        place = dlib.x + dlib.width / 2, dlib.y + dlib.height / 2, dlib.width
        places.setdefault(one.path.relative_to(data).parts[1], []).append(np.array(place) / picture.width)
    print(f"{len(down)} heads that both find")
    for name, values, ours in (("middle below the upper edge", down, DOWN), ("side", side, SIDE)):
        figure = bootstrap_median(values)
        print(f"{name}: {figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}] of MTCNN's height; set to {ours:g}")
    for name, several in places.items():
        print(f"{name}: middle and side, as shares of the width: {np.median(several, axis=0).round(2).tolist()}")


if __name__ == "__main__":
    main()
