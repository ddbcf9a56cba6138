import numpy as np
import pytest

from nearkin.evaluation.protocol import Embeddings, GroundTruth, NoOptions
from nearkin.evaluation.protocols.cross_modal import run


def of_two_languages(images: np.ndarray, english: np.ndarray, russian: np.ndarray) -> tuple[Embeddings, GroundTruth]:
    rows = np.arange(len(images))
    return Embeddings(images, np.concatenate([english, russian])), GroundTruth(
        image_of_text=np.concatenate([rows, rows]), text_languages=["en"] * len(rows) + ["ru"] * len(rows)
    )


def test_each_language_and_whether_both_find_the_same() -> None:
    images = np.eye(12)
    # Half of the Russian wordings say what another picture shows.
    swapped = np.arange(12)
    swapped[:6] = np.roll(swapped[:6], 1)
    model, truth = of_two_languages(images, images, images[swapped])
    outcome = run([model], truth, NoOptions(), 0)
    values = {name: one.figure().value for name, one in outcome.estimates[0].items()}
    assert values["text_to_image[en]/recall@1"] == 1
    assert values["text_to_image[ru]/recall@1"] == 0.5
    assert values["text_to_image/recall@1"] == 0.75
    assert values["image_to_text[ru]/recall@1"] == 0.5
    assert values["same_first_hit[en,ru]"] == 0.5
    by_chance = outcome.chance()
    assert set(by_chance) == set(values)
    assert by_chance["same_first_hit[en,ru]"].value == pytest.approx(1 / 12)
    assert by_chance["text_to_image[ru]/recall@1"].value == pytest.approx(1 / 12)
    assert outcome.counts == {"texts": 24, "texts [en]": 12, "texts [ru]": 12}


@pytest.mark.parametrize("languages", [(), ["en"] * 24, ["en"] * 20 + ["ru"] * 4, ["en"] * 20 + [""] * 4])
def test_one_language_alone_is_not_told_apart(languages: list[str]) -> None:
    images = np.eye(24)
    truth = GroundTruth(image_of_text=np.arange(24), text_languages=languages)
    (found,) = run([Embeddings(images, images)], truth, NoOptions(), 0).estimates
    assert not [name for name in found if "[" in name]
