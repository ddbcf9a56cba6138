"""Heads on features that were computed once."""

import numpy as np
import pytest
import torch

from nearkin.tasks.demo.heads import DIM, train_on_labels


def noisy_classes(count: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of which the first eight tell the class, and twenty-four others are noise."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), each)
    told = random.standard_normal((count, 8))[labels] + 0.1 * random.standard_normal((len(labels), 8))
    return np.hstack([told, random.standard_normal((len(labels), 24))]).astype(np.float32), labels


def first_hit_right(vectors: np.ndarray, labels: np.ndarray) -> float:
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return float((labels[scores.argmax(1)] == labels).mean())


@pytest.mark.parametrize("loss", ["softmax", "triplet"])
def test_a_head_helps_on_classes_that_it_was_not_trained_on(loss: str) -> None:
    features, labels = noisy_classes(60, 6, seed=0)
    head = train_on_labels(features, labels, loss, steps=200)
    assert head.out_features == DIM
    features, labels = noisy_classes(20, 6, seed=1)
    before = first_hit_right(features, labels)
    after = first_hit_right(head(torch.from_numpy(features)).numpy(), labels)
    assert before < 0.5
    assert after > before + 0.05


def test_training_repeats_to_the_last_bit_whatever_was_drawn_before() -> None:
    features, labels = noisy_classes(10, 5, seed=0)
    threads = torch.get_num_threads()
    one = train_on_labels(features, labels, "triplet", steps=3)
    torch.rand(7)
    state = torch.random.get_rng_state()
    other = train_on_labels(features, labels, "triplet", steps=3)
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads
