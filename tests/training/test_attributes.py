"""Training by attributes: combinations never seen are recognised; what is refused; resumed exactly."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nearkin.cli import main
from nearkin.data.attributes import read_class_table
from nearkin.data.sources import read_items
from nearkin.encoders.encoder import Encoder
from nearkin.errors import InvalidInput, SourceError
from nearkin.gallery.gallery import Gallery
from nearkin.training.attribute_map import attribute_map
from nearkin.training.train import train
from tests.drawn_shapes import COMBINATIONS, UNSEEN, name, write_attributes, write_shapes
from tests.training.small import SMALL, cut_and_resumed

SEEN = [one for one in COMBINATIONS if one not in UNSEEN]
OPTIONS: dict[str, Any] = {
    **SMALL,
    "dim": 32,
    "batch_size": 64,
    "backbone_options": {"width": 16},
    "learning_rate": 0.003,
    "augmentation": "none",
    "val_fraction": 0,
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    write_shapes(folder / "seen", SEEN, pictures=6)
    write_shapes(folder / "unseen", UNSEEN, pictures=4, seed=1)
    write_attributes(folder / "classes.csv")
    return folder


@pytest.fixture(scope="module")
def trained(drawn: Path) -> Encoder:
    return train(drawn / "seen", out=drawn / "run", attributes=str(drawn / "classes.csv"), epochs=16, **OPTIONS)


def test_combinations_never_seen_are_recognised_by_their_attributes(drawn: Path, trained: Encoder) -> None:
    items = read_items(drawn / "unseen")
    names = [name(one) for one in UNSEEN]
    described = trained.embed_attributes(read_class_table(drawn / "classes.csv").of(names))
    np.testing.assert_allclose(np.linalg.norm(described, axis=1), 1, rtol=1e-6)
    nearest = (trained.embed_images(items.uris) @ described.T).argmax(1)
    right = np.array([names[row] == label for row, label in zip(nearest, items.labels, strict=True)])
    assert right.mean() > 0.8, "of 12 classes, where chance is right once in 12"


def test_the_linear_map_is_the_one_in_closed_form(drawn: Path, trained: Encoder) -> None:
    items, tower = read_items(drawn / "seen"), trained.attribute_tower
    assert tower is not None
    labels, names = items.label_ids()
    rows = read_class_table(drawn / "classes.csv").of(names, trained.attribute_columns)
    described = tower.attributes.scaled(trained.attribute_numbers(rows))
    weight, bias = attribute_map(trained.embed_images(items.uris), labels, described)
    np.testing.assert_allclose(tower.layers[-1].weight.detach().numpy(), weight, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(tower.layers[-1].bias.detach().numpy(), bias, rtol=1e-3, atol=1e-4)


def test_generalised_zero_shot_on_the_command_line(
    drawn: Path, trained: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen and unseen combinations in new pictures, and the pictures that were trained on, which are not asked for."""
    for source in ("seen", "unseen"):
        shutil.copytree(drawn / source, tmp_path / "data", dirs_exist_ok=True)
    write_shapes(tmp_path / "data", SEEN, pictures=2, seed=2)
    command = ["evaluate", drawn / "run", tmp_path / "data", "--protocol", "zero-shot"]
    with pytest.raises(SystemExit) as stopped:
        main([str(one) for one in [*command, "--attributes", drawn / "classes.csv", "--json"]])
    assert not stopped.value.code
    report = json.loads(capsys.readouterr().out)
    figures = {metric: entry["value"] for metric, entry in report["figures"]["zero_shot"].items()}
    chance = {metric: entry["value"] for metric, entry in report["baselines"]["chance"]["zero_shot"].items()}
    assert report["counts"]["pictures of them"] == 12 * 4 + 36 * 2
    assert (report["counts"]["unseen classes"], report["counts"]["seen classes"]) == (12, 36)
    assert (chance["attributes/unseen"], chance["attributes/seen"]) == pytest.approx((1 / 12, 1 / 36), abs=1e-6)
    assert figures["attributes/unseen"] > 0.8
    assert figures["neighbour/unseen"] > 3 * chance["neighbour/unseen"]
    assert figures["attributes/harmonic_mean"] > 5 * chance["attributes/harmonic_mean"]
    low, high = report["figures"]["zero_shot"]["attributes/harmonic_mean"]["interval"]
    assert low < figures["attributes/harmonic_mean"] < high


def test_a_class_of_which_only_attributes_are_known_is_enrolled(
    drawn: Path, trained: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One at a time, and all of them from the table of the training; its further columns do not matter."""
    gallery = tmp_path / "gallery"
    Gallery.create(gallery, trained)
    table = tmp_path / "classes.csv"
    rows = (drawn / "classes.csv").read_text().splitlines()
    unseen = [line for line in rows if any(line.startswith(f"{name(one)},") for one in UNSEEN)]
    table.write_text("\n".join([f"{rows[0].replace('label', 'name')},note", *(f"{line},x" for line in unseen)]) + "\n")
    first = name(UNSEEN[0])
    for arguments in ([first, "--attributes", table], ["--table", table]):
        with pytest.raises(SystemExit) as stopped:
            main([str(one) for one in ["enroll", gallery, *arguments]])
        assert not stopped.value.code, capsys.readouterr().err
    opened = Gallery.open(gallery)
    assert len(opened.classes()) == 12
    assert all(one.kinds == {"attributes": 1} for one in opened.classes())
    with pytest.raises(InvalidInput, match="unknown value of 'colour' 'rde': did you mean red"):
        opened.enroll("x", attributes={"colour": "rde", "words": "circle|plain", "size": 8, "striped": 0})


def test_held_out_classes_are_measured_by_their_attributes(drawn: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "val_fraction": 0.25, "epochs": 1}
    train(drawn / "unseen", out=tmp_path / "run", attributes=str(drawn / "classes.csv"), **options)
    assert "attributes/unseen" in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert set(report["figures"]["zero_shot"]) == {"attributes/unseen"}
    assert report["baselines"]["chance"]["zero_shot"]["attributes/unseen"]["value"] == pytest.approx(1 / 3, abs=1e-6)


def test_the_tower_learns_at_its_own_rate(drawn: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "attributes": str(drawn / "classes.csv"), "epochs": 1, "learning_rate": 0.001}
    train(drawn / "unseen", out=tmp_path / "x", attribute_width=16, attribute_learning_rate=0.01, **options)
    last = torch.load(tmp_path / "x" / "checkpoints" / "last.ckpt", weights_only=False)
    groups = last["optimizer_states"][0]["param_groups"]
    assert [group["multiple"] for group in groups] == [1, 1, pytest.approx(10), 1]
    assert len(groups[2]["params"]) == 4


def test_the_artefact_keeps_the_tower_and_the_columns(drawn: Path, trained: Encoder, tmp_path: Path) -> None:
    rows = [{"colour": "red", "words": ["circle", "plain"], "size": 8, "striped": 0}]
    loaded = Encoder.from_pretrained(drawn / "run")
    assert loaded.has_attributes
    assert loaded.fingerprint == trained.fingerprint
    assert loaded.attributes == trained.attributes
    assert loaded.attributes[-2:] == ("size", "striped")
    np.testing.assert_array_equal(loaded.embed_attributes(rows), trained.embed_attributes(rows))
    assert "embed_attributes(rows)  # mappings with colour, words, size, striped" in loaded.card
    assert "info-nce on attributes" in loaded.card
    assert repr(loaded).endswith("pictures and attributes to 32 dimensions, pictures of 32 x 32 pixels)")
    # Older versions read the first format, and would not know what to make of the tower's weights.
    assert json.loads((drawn / "run" / "model" / "config.json").read_text())["format"] == 2
    # Another scale of a number is another embedding.
    config = json.loads((drawn / "run" / "model" / "config.json").read_text())
    next(one for one in config["attributes"]["columns"] if one["name"] == "size")["mean"] += 1
    trained.save_pretrained(tmp_path / "changed")
    (tmp_path / "changed" / "config.json").write_text(json.dumps(config))
    assert Encoder.from_pretrained(tmp_path / "changed").fingerprint != trained.fingerprint


def test_a_model_without_attributes_is_as_before(drawn: Path, tmp_path: Path) -> None:
    encoder = train(drawn / "unseen", out=tmp_path / "run", epochs=1, **OPTIONS)
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert config["format"] == 1
    assert "attributes" not in config
    assert not any("attribute" in key for key in encoder.state_dict())
    assert not encoder.has_attributes
    assert encoder.attributes == ()
    with pytest.raises(InvalidInput, match="embeds no attributes: train one with `nearkin train --attributes"):
        encoder.embed_attributes([{"colour": "red"}])


def test_resumed_exactly(drawn: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "attributes": str(drawn / "classes.csv"), "attribute_columns": ("colour", "size")}
    whole, cut = cut_and_resumed(drawn / "unseen", tmp_path, epochs=2, **options)
    assert any(key.startswith("encoder.attribute_tower") for key in whole)
    assert any(key.startswith("objective.attribute_loss") for key in whole)
    for key, tensor in whole.items():
        np.testing.assert_array_equal(cut[key].numpy(), tensor.numpy(), err_msg=key)


def test_attributes_captions_and_labels_together(shapes: Path, tmp_path: Path) -> None:
    lines = ["label,colour,shape"]
    lines += [f"{folder.name},{folder.name.replace(' ', ',')}" for folder in sorted((shapes / "tree").iterdir())]
    (tmp_path / "classes.csv").write_text("\n".join(lines))
    table = str(tmp_path / "classes.csv")
    encoder = train(
        shapes / "captions.csv", out=tmp_path / "x", captions=True, attributes=table, loss="triplet", epochs=1, **SMALL
    )
    assert "pictures, texts and attributes to 16" in repr(encoder)
    assert encoder.embed_attributes([{"colour": "red", "shape": "circle"}]).shape == (1, 16)


def test_a_class_without_a_row_is_named(drawn: Path, tmp_path: Path) -> None:
    lines = (drawn / "classes.csv").read_text().splitlines()
    (tmp_path / "few.csv").write_text("\n".join(line for line in lines if not line.startswith("red circle 8 plain")))
    with pytest.raises(InvalidInput, match=r"few\.csv: no row for 1 of 12 classes \('red circle 8 plain'\)"):
        train(drawn / "unseen", out=tmp_path / "x", attributes=str(tmp_path / "few.csv"), **OPTIONS)
    assert not (tmp_path / "x").exists()


def test_a_column_that_teaches_nothing_is_named(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(
        "label,odd\n" + "\n".join(f"{name(one)},a{n}|b{n}" for n, one in enumerate(UNSEEN))
    )
    with pytest.raises(SourceError, match=r"odd\.csv: 'odd': no word is of two classes.*--attribute-column chooses"):
        train(drawn / "unseen", out=tmp_path / "x", attributes=str(tmp_path / "odd.csv"), **OPTIONS)


def test_turned_classes_have_no_attributes(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="rotate_classes makes classes that the table of attributes does not"):
        train(
            drawn / "unseen",
            out=tmp_path / "x",
            attributes=str(drawn / "classes.csv"),
            rotate_classes=True,
            **OPTIONS,
        )


def test_mistakes_on_the_command_line_are_one_line(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", str(drawn / "unseen"), "--out", str(tmp_path / "x"), "--attributes", str(tmp_path / "no.csv")])
    assert stopped.value.code == 2
    assert "no.csv: no such file: expected a table with a row of attributes" in capsys.readouterr().err
