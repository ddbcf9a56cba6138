from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearkin.errors import InvalidInput, SourceError
from nearkin.evaluation.metrics.few_shot import FewShot, draw_episodes, few_shot, score_episodes
from nearkin.evaluation.protocol import Embeddings, GroundTruth
from nearkin.evaluation.protocols.few_shot import PROTOCOL, FewShotOptions


def alphabets(groups, classes=6, pictures=8, effect=0.4, seed=0):
    """Groups that are easy or hard as a whole."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(groups * classes), pictures)
    group = labels // classes
    noise = 0.9 * np.exp(effect * generator.normal(size=groups))
    centres = generator.normal(size=(groups * classes, 10))
    return centres[labels] + noise[group, None] * generator.normal(size=(len(labels), 10)), labels, group


def run(vectors, labels, group, **options):
    truth = GroundTruth(labels, column={"alphabet": [f"a{one}" if one >= 0 else None for one in group]}.__getitem__)
    options = PROTOCOL.read(FewShotOptions(shots=(1,), queries=3, episodes=100, **options))
    PROTOCOL.check(options, truth)
    return PROTOCOL.run([Embeddings(vectors)], truth, options, 0)


def test_episodes_within_groups_have_intervals_over_groups():
    vectors, labels, group = alphabets(12)
    outcome = run(vectors, labels, group, within="alphabet")
    figure = outcome.estimates[0]["5-way 1-shot/prototype"].figure()
    by_classes = few_shot(
        vectors, labels, queries=3, episodes=100, within=group, unit_of_interval="classes"
    )["prototype"]  # fmt: skip
    assert figure.value == pytest.approx(by_classes.value)
    assert figure.high - figure.low > 1.3 * (by_classes.high - by_classes.low)
    assert few_shot(vectors, labels, queries=3, episodes=100, within=group)["prototype"] == figure
    assert any("12 values of alphabet" in note for note in outcome.notes)


def test_episodes_of_one_group_stand_or_fall_together():
    vectors, labels, group = alphabets(7)
    episodes = draw_episodes(labels, FewShot(queries=3, episodes=90), within=group)
    found = score_episodes(vectors, episodes, unit_of_interval="groups")["neighbour"]
    accuracy = [score_episodes(vectors, [one])["neighbour"].figure().value for one in episodes]
    assert found.values.tolist() == pytest.approx(accuracy)
    assert all(set(group[np.isin(labels, one.shown_classes)]) == {one.group} for one in episodes)


def test_one_group_alone_says_so():
    vectors, labels, group = alphabets(1)
    outcome = run(vectors, labels, group, within="alphabet")
    assert outcome.estimates[0]["5-way 1-shot/prototype"].figure().low is not None
    assert any("only one alphabet" in note for note in outcome.notes)


def test_pictures_without_a_group_are_left_out_and_counted():
    vectors, labels, group = alphabets(3)
    outcome = run(vectors, labels, np.where(group == 2, -1, group), within="alphabet")
    assert any("without an entry in alphabet, left out of few-shot: 48." in note for note in outcome.notes)
    assert any("2 values of alphabet" in note for note in outcome.notes)


def fixed_runs(folder, groups):
    for name in "abcd":
        Image.new("L", (8, 8), ord(name)).save(folder / f"{name}.png")
    rows = ["run,role,path,label,group"]
    for number, group in enumerate(groups):
        rows += [f"{number},{role},{file}.png,{label},{group}" for role, file, label in
                 (("shown", "a", "x"), ("shown", "b", "y"), ("asked", "c", "x"), ("asked", "d", "y"))]  # fmt: skip
    (folder / "runs.csv").write_text("\n".join(rows))
    return folder / "runs.csv"


@pytest.mark.parametrize(
    ("groups", "note"), [("ppqq", "Fixed runs of 2 groups"), (["", ""], "the interval is over runs")]
)
def test_fixed_runs_over_their_groups(tmp_path, groups, note):
    options = PROTOCOL.read(FewShotOptions(runs=fixed_runs(tmp_path, groups)))
    assert [Path(file).name for file in PROTOCOL.pictures(options)] == ["a.png", "b.png", "c.png", "d.png"]
    vectors = np.array([[1.0, 0], [0, 1], [1, 0.1], [0.9, 1]])
    outcome = PROTOCOL.run([Embeddings(vectors, further={"few_shot": vectors})], GroundTruth(), options, 0)
    assert outcome.estimates[0]["2-way fixed runs/neighbour"].figure().value == 1.0
    assert note in outcome.notes[0]
    assert PROTOCOL.why_not_unasked(GroundTruth(), options) is None


def test_a_run_of_two_groups_is_named(tmp_path):
    path = fixed_runs(tmp_path, "pp")
    path.write_text(path.read_text().replace("0,asked,d.png,y,p", "0,asked,d.png,y,q"))
    with pytest.raises(SourceError, match="row 5: run '0' is of group 'q', and of 'p' before"):
        PROTOCOL.read(FewShotOptions(runs=path))


def test_options_are_checked_when_made():
    with pytest.raises(InvalidInput, match="ways is 1"):
        FewShotOptions(ways=1)
