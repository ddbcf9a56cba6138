import numpy as np
import pytest
from PIL import Image

from nearkin.encoders.raw_pixels import raw_pixels
from nearkin.encoders.training_hashes import TrainingHashes, hash_names, hash_pixels, look_bits
from nearkin.errors import ArtefactError
from nearkin.evaluation.leakage import check_data, hash_training, sampled_rows


def draw(count, seed=0):
    """Smooth random pictures, as photos are: neighbours alike."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, size=(count, 6, 6, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((32, 32), Image.Resampling.BICUBIC)) for one in small])


def recompressed(picture):
    """The picture made smaller and larger again, and a little brighter."""
    image = Image.fromarray(picture).resize((25, 25)).resize((32, 32))
    return np.clip(np.asarray(image).astype(int) + 6, 0, 255).astype(np.uint8)


def check(pixels, labels, training_hashes=None):
    return check_data(labels, hash_pixels(pixels), raw_pixels(pixels), training_hashes=training_hashes)


def test_clean_data_says_nothing():
    pixels = draw(20)
    checks = check(pixels, list("aabbccddee" * 2), hash_training([draw(20, seed=1)], ["x", "y"], total=20))
    assert (checks.copies, checks.two_labels, checks.seen_classes, checks.seen_pictures, checks.near_seen) == (
        (),
        (),
        (),
        (),
        (),
    )
    assert checks.notes([""] * 20) == []


def test_training_pictures_classes_and_near_copies_are_found():
    trained = draw(30)
    training_hashes = hash_training([trained[:10], trained[10:]], ["cat", "dog", None], total=30)
    pixels = np.concatenate([draw(4, seed=2), trained[3:5], recompressed(trained[7])[None]])
    checks = check(pixels, ["cat", "cat", "cow", "cow", "cow", "cow", "emu"], training_hashes)
    assert checks.seen_classes == ("cat",)
    assert checks.seen_pictures == (4, 5)
    assert checks.near_seen == (6,)
    assert checks.lone_classes == ("emu",)
    notes = " ".join(checks.notes([f"{row}.png" for row in range(7)]))
    assert "Trained on: 1 of 3 classes (cat)" in notes
    assert "Trained on: 2 of 7 pictures" in notes
    assert "Nearly copies of training pictures: 1 picture (6.png)" in notes


def test_one_picture_under_two_labels():
    pixels = draw(6)
    pixels[3] = pixels[0]
    pixels[4] = recompressed(pixels[1])
    checks = check(pixels, ["a", "b", "c", "d", "e", "c"])
    assert [(copy.row, copy.other) for copy in checks.two_labels] == [(0, 3), (1, 4)]
    assert checks.two_labels[0].correlation == 1.0
    assert checks.copies == checks.two_labels
    names = [f"{label}/{n}.png" for n, label in enumerate("abcdec")]
    assert "One picture under two labels: 2 pairs (a/0.png and d/3.png, b/1.png and e/4.png)" in checks.notes(names)[-1]
    assert "among the others: 4 (a/0.png and d/3.png, b/1.png and e/4.png)." in checks.notes(names)[-2]
    assert checks.to_dict(names)["copies"][0] == {"pictures": ["a/0.png", "d/3.png"], "correlation": 1.0}
    same = check(pixels, ["a", "b", "c", "a", None, "c"])
    assert (same.two_labels, len(same.copies)) == ((), 2)


def test_long_lists_say_where_all_of_it_is():
    checks = check(np.repeat(draw(7), 2, axis=0), [f"{n}" for n in range(14)])
    names = [f"{n}.png" for n in range(14)]
    assert 'listed under "leakage" in --json' in checks.notes(names)[-1]
    assert len(checks.to_dict(names)["copies"]) == 7


def test_plain_and_tiny_pictures_are_no_copies():
    plain = np.repeat(np.arange(4, dtype=np.uint8) * 60, 32 * 32 * 3).reshape(4, 32, 32, 3)
    assert check(plain, list("abcd")).copies == ()
    tiny = np.repeat(draw(4)[:, ::8, ::8], 2, axis=0)
    checks = check(tiny, list("abcdefgh"), hash_training([tiny], ["z"], total=8))
    assert (checks.copies, checks.near_seen) == ((), ())
    assert len(checks.seen_pictures) == 8


def test_without_training_hashes_leaks_are_unknown():
    checks = check(draw(4), list("aabb"))
    assert not checks.known_training
    assert "unknown" in checks.notes([""] * 4)[0]


def test_nothing_of_a_picture_or_name_is_kept(tmp_path):
    training_hashes = hash_training([draw(3)], ["Ann Lee"], total=3)
    training_hashes.write(tmp_path / "s")
    assert b"Ann" not in (tmp_path / "s").read_bytes()
    assert (tmp_path / "s").stat().st_size < 3 * 72 + 8 + 400
    again = TrainingHashes.read(tmp_path / "s")
    assert again.total == 3
    assert again.knows_classes(["Ann Lee", "Bo Ek"]).tolist() == [True, False]
    np.testing.assert_array_equal(again.pictures, training_hashes.pictures)
    np.testing.assert_array_equal(again.looks, training_hashes.looks)
    (tmp_path / "s").write_bytes(b"no")
    with pytest.raises(ArtefactError, match="damaged"):
        TrainingHashes.read(tmp_path / "s")


def test_hashes_and_bits():
    pixels = draw(3)
    assert len(set(hash_pixels(pixels).tolist())) == 3
    assert hash_pixels(pixels)[1] == hash_pixels(pixels[1:].copy())[0]
    assert hash_names(["a", "b", "a"]).tolist().count(int(hash_names(["a"])[0])) == 2
    # Signs differ in angle / pi of the places: half for vectors at a right angle.
    apart = np.unpackbits(np.bitwise_xor(*look_bits(np.eye(2, 300, dtype=np.float32)))).sum()
    assert 200 < apart < 312


def test_the_number_of_training_hashes_is_bounded():
    assert len(hash_training([draw(4), draw(4, seed=1)], ["a"], total=8, limit=5).pictures) == 5
    rows = sampled_rows(1000, limit=10, seed=1)
    assert len(rows) == 10
    assert (np.diff(rows) > 0).all()
    assert sampled_rows(3).tolist() == [0, 1, 2]
