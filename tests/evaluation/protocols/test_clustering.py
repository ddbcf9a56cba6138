import numpy as np

from nearkin.arrays import unit
from nearkin.evaluation.protocol import Embeddings, GroundTruth, NoOptions
from nearkin.evaluation.protocols.clustering import PROTOCOL


def test_clusters_are_found_without_their_number():
    labels = np.append(np.repeat(np.arange(6), 10), 6)
    vectors = 4 * np.eye(7, 16)[labels] + 0.1 * np.random.default_rng(0).standard_normal((61, 16))
    outcome = PROTOCOL.run([Embeddings(unit(vectors.astype(np.float32)))], GroundTruth(labels), NoOptions(), 0)
    assert outcome.estimates[0]["communities/bcubed_f"].figure().value == 1.0
    assert outcome.notes == (
        "Without being told the number of 7 classes, 'communities' found 6 groups, 1 pictures in none.",
    )
