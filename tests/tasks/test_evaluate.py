import numpy as np
import pytest
from PIL import Image

from nearkin.data.items import Items, Picture
from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.errors import InvalidInput, PictureError, SourceError, UnknownName
from nearkin.evaluation.leakage import hash_training
from nearkin.evaluation.metrics.retrieval import retrieval
from nearkin.tasks.evaluate import evaluate
from tests.fakes import COLOURS, FakeEncoder


@pytest.fixture
def folder(tmp_path):
    """12 classes of 4 pictures: a colour each, with noise."""
    generator = np.random.default_rng(0)
    for name, colour in enumerate(generator.integers(40, 216, size=(12, 3))):
        (tmp_path / f"class{name:02}").mkdir()
        for number in range(4):
            pixels = (colour + generator.integers(-40, 40, size=(8, 8, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"class{name:02}" / f"{number}.png")
    return tmp_path


@pytest.fixture
def captioned(tmp_path):
    """Plain red, green and blue pictures, with a caption or two."""
    for name in ("red", "green", "blue"):
        Image.new("RGB", (8, 8), COLOURS[name]).save(tmp_path / f"{name}.png")
    (tmp_path / "table.csv").write_text(
        "path,caption_en,caption_ru,split\n"
        "red.png,a red square,красный квадрат,test\n"
        "green.png,something green,,test\n"
        "blue.png,blue,,test\n",
        encoding="utf-8",
    )
    return tmp_path / "table.csv"


def test_labelled_pictures(folder):
    encoder, seen = FakeEncoder(), []
    report = evaluate(encoder, folder, seed=5, progress=lambda done, total: seen.append((done, total)))
    files = sorted(folder.rglob("*.png"))
    labels = np.unique([file.parent.name for file in files], return_inverse=True)[1]
    pixels = np.stack([encoder.preprocessing.apply(Image.open(file)) for file in files])
    assert report.figures["retrieval"] == retrieval(encoder.embed_pixels(pixels), labels, seed=5)
    assert report.baselines["raw pixels"]["retrieval"] == retrieval(raw_pixels(pixels), labels, seed=5)
    assert report.baselines["chance"]["retrieval"]["recall@1"].value == pytest.approx(3 / 47)
    assert report.title == f"fake-16 on {folder}"
    assert report.counts["pictures"] == 48
    assert report.counts["skipped"] == 0
    assert seen[-1] == (48, 48)


def test_captioned_pictures(captioned):
    report = evaluate(FakeEncoder(), captioned)
    assert report.figures["cross_modal"]["text_to_image/recall@1"].value == 1.0
    assert report.figures["cross_modal"]["text_to_image/recall@1"].n == 4
    assert report.figures["cross_modal"]["image_to_text/recall@1"].n == 3
    assert report.notes[0] == "Split: test."
    english = evaluate(FakeEncoder(), captioned, captions=["caption_en"])
    assert english.counts["texts"] == 3


def test_words_shared_by_pictures_are_noted(captioned):
    captioned.write_text("path,caption\nred.png,red\ngreen.png,red\nblue.png,blue\n")
    notes = evaluate(FakeEncoder(), captioned).notes
    assert "2 of 3 texts are also those of another picture; any picture with the words is right." in notes


def trained_on(pixels, labels):
    """An encoder that remembers these pictures and classes."""
    encoder = FakeEncoder()
    encoder.training_hashes = hash_training([pixels], labels, total=len(pixels))
    return encoder


@pytest.mark.parametrize(("present", "said"), [(["train"], True), ([None], True), (["train", "test"], False)])
def test_scores_are_called_optimistic_only_where_they_may_be(folder, present, said):
    none_known = "trained on none of these classes and pictures"
    other = np.random.default_rng(9).integers(0, 256, size=(1, 8, 8, 3), dtype=np.uint8)
    notes = " ".join(evaluate(trained_on(other, ["elsewhere"]), items(folder, present)).notes)
    assert (none_known in notes, "optimistic" in notes) == (said, False)
    own = np.stack([FakeEncoder.preprocessing.apply(Image.open(file)) for file in sorted(folder.rglob("*.png"))])
    notes = " ".join(evaluate(trained_on(own, ["class00"]), items(folder, present)).notes)
    assert (none_known in notes, "optimistic" in notes) == (False, present == ["train"])


def test_repeated_captions_are_counted(captioned):
    captioned.write_text("path,caption\nred.png,red\nred.png,red\ngreen.png,green\nred.png,a red\nblue.png,blue\n")
    report = evaluate(FakeEncoder(), captioned)
    assert report.counts["texts"] == 4
    assert "Captions that stand twice or more on one picture of the source count once: 1." in report.notes
    captioned.write_text("path,caption\nred.png,red\ngreen.png,red\n")
    assert not any("Captions" in note for note in evaluate(FakeEncoder(), captioned).notes)


def test_without_baselines(folder):
    assert evaluate(FakeEncoder(), folder, baselines=False).baselines == {}


def test_broken_pictures_are_left_out_and_listed(folder):
    (folder / "class00" / "0.png").write_bytes(b"no picture")
    report = evaluate(FakeEncoder(), folder)
    assert [broken.uri for broken in report.skipped] == [str(folder / "class00" / "0.png")]
    assert report.counts["skipped"] == 1
    assert report.counts["pictures"] == 47
    with pytest.raises(PictureError, match=r"0\.png"):
        evaluate(FakeEncoder(), folder, strict=True)


def items(folder, splits, **columns):
    files = sorted(folder.rglob("*.png"))
    labels = [file.parent.name for file in files]
    splits = [splits[row % len(splits)] for row in range(len(files))]
    return Items.build([Picture(str(file)) for file in files], labels=labels, splits=splits, **columns)


@pytest.mark.parametrize(
    ("present", "split", "pictures", "note"),
    [
        (["train", "val", "test", "test"], None, 24, "Split: test."),
        (["train", "val", "val", "train"], None, 24, "Split: val."),
        (["train", "val", "val", "train"], "train", 24, "Split: train."),
        (["train", "val", "val", "train"], "all", 48, "if it was trained on them, the scores are optimistic"),
        (["train"], None, 48, "if it was trained on them, the scores are optimistic"),
        ([None], None, 48, "does not say what it was trained on"),
    ],
)
def test_split(folder, present, split, pictures, note):
    report = evaluate(FakeEncoder(), items(folder, present), split=split)
    assert report.counts["pictures"] == pictures
    assert note in report.notes[0]


def test_roles_of_the_source_are_kept(folder):
    is_query = [row % 4 == 0 for row in range(48)]
    chosen = items(folder, [None], is_query=is_query, is_gallery=[not flag for flag in is_query])
    report = evaluate(FakeEncoder(), chosen)
    assert (report.counts["queries"], report.counts["gallery"]) == (12, 36)


def test_bad_input_is_named(folder, captioned, tmp_path):
    encoder = FakeEncoder()
    with pytest.raises(UnknownName, match="unknown split 'tst'"):
        evaluate(encoder, folder, split="tst")
    with pytest.raises(SourceError, match="no pictures of split 'val', only test"):
        evaluate(encoder, captioned, split="val")
    with pytest.raises(InvalidInput, match="captions, but this encoder embeds pictures only"):
        evaluate(FakeEncoder(has_text=False), captioned)
    with pytest.raises(InvalidInput, match="neither labels nor captions"):
        evaluate(encoder, Items.build([Picture(str(tmp_path / "red.png"))]))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    with pytest.raises(SourceError, match=r"none of 1 pictures can be decoded; the first: .*broken\.png"):
        evaluate(encoder, Items.build([Picture(str(broken))], labels=["x"]))


def test_a_network_that_gives_nan_is_refused(folder):
    class Diverged(FakeEncoder):
        def embed_pixels(self, pixels):
            return np.full((len(pixels), self.dim), np.nan, dtype=np.float32)

    with pytest.raises(InvalidInput, match="48 of 48 rows hold NaN"):
        evaluate(Diverged(), folder)
