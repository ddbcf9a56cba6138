"""Values of the wrong kind for numbers of public functions: in a process of its own, without the tests' type checks."""

import subprocess
import sys

SCRIPT = """
import sys, tempfile
import numpy as np
from nearkin import Gallery, TrainSettings, evaluation, losses, similarity
from nearkin.errors import InvalidInput
from tests.fakes import FakeEncoder

rng = np.random.default_rng(0)
vectors, labels = rng.normal(size=(60, 16)), np.repeat(np.arange(20), 3)
gallery = Gallery.create(tempfile.mkdtemp() + "/gallery", FakeEncoder())
gallery.add_vectors([str(i) for i in range(60)], vectors)
calibration = evaluation.fit_calibration(vectors, labels, fingerprint="x")
no_count = [1.5, 2.0, True, np.True_, "3", 0, -1, None, float("nan"), float("inf"), [3], {}, np.float64(2)]
no_seed = [value for value in no_count if value is not no_count[5]]
no_share = [True, "0.1", 0, 1, -1, 2**70, float("nan"), float("inf"), [0.1], {}]
cases = {
    "k": (no_count, lambda x: gallery.search(vectors[0], k=x)),
    "k of many": (no_count, lambda x: gallery.search_many(vectors, k=x)),
    "offset": (no_seed, lambda x: gallery.search(vectors[0], offset=x)),
    "threshold": ([True, "1", float("nan"), [1], {}], lambda x: gallery.search(vectors[0], threshold=x)),
    "weight": ([True, "1", float("nan"), [1], None], lambda x: gallery.search([(0, 1.0), (1, x)])),
    "thumbnail": ([1.5, True, "0", None, [0], {}], gallery.thumbnail),
    "recall": (no_share, lambda x: gallery.build("exact", recall=x)),
    "top_k": (no_count, lambda x: similarity.top_k(vectors.astype(np.float32), vectors.astype(np.float32), x)),
    "ks": ([*no_count, 2**70], lambda x: evaluation.retrieval(vectors, labels, ks=[x])),
    "all ks": (no_count[:10], lambda x: evaluation.retrieval(vectors, labels, ks=x)),
    "ks by chance": (no_count, lambda x: evaluation.retrieval_by_chance(labels, ks=[x])),
    "ways": (no_count, lambda x: evaluation.FewShot(ways=x)),
    "shots": (no_count, lambda x: evaluation.few_shot(vectors, labels, shots=x)),
    "seed": (no_seed, lambda x: evaluation.retrieval(vectors, labels, seed=x)),
    "seed of clusters": (no_seed, lambda x: evaluation.clustering(labels, labels, seed=x)),
    "seed of episodes": (no_seed, lambda x: evaluation.few_shot(vectors, labels, queries=1, episodes=2, seed=x)),
    "seed of intervals": (no_seed, lambda x: evaluation.bootstrap_mean(np.arange(9.0), seed=x)),
    "resamples": (no_count, lambda x: evaluation.bootstrap_mean(np.arange(9.0), resamples=x)),
    "within": ([1, "01", True, (1, 0)], lambda x: evaluation.bootstrap_mean(np.arange(9.0), within=x)),
    "fars": (no_share, lambda x: evaluation.verification_all_pairs(vectors, labels, fars=[x])),
    "all fars": (no_share[:8], lambda x: evaluation.verification_all_pairs(vectors, labels, fars=x)),
    "far": (no_share, calibration.threshold),
    "prior": (no_share, lambda x: calibration.probability([0.3], prior=x)),
    "scores": (["1", None, {}, float("nan"), [[1]]], calibration.probability),
    "dim": (no_count, lambda x: losses.build_loss("arcface", classes=3, dim=x)),
    "classes": (no_count, lambda x: losses.build_loss("arcface", classes=x, dim=3)),
    "epochs": ([1.5, True, "x", -1, float("nan"), [3]], lambda x: TrainSettings(epochs=x)),
    "learning_rate": ([True, "x", 0, -1, float("inf"), [3]], lambda x: TrainSettings(learning_rate=x)),
}
for name, (values, call) in cases.items():
    for value in values:
        try:
            call(value)
            print(name, repr(value), "was taken")
        except InvalidInput as error:
            if "\\n" in str(error):
                print(name, repr(value), "gave several lines")
        except Exception as error:
            print(name, repr(value), type(error).__name__, error)
assert len(gallery.search(vectors[0], k=10**12)) == len(gallery.search(vectors[0], k=np.int64(2**62))) == 60
assert len(gallery.search(vectors[0], offset=2**70)) == 0
"""


def test_wrong_values_are_refused_in_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
