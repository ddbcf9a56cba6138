"""Small heads on frozen networks, trained on features that were computed once: in seconds, not hours."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower
from nearkin.encoders.texts import TEXT_TOWERS
from nearkin.encoders.texts._e5 import E5Tokenizer, load_e5, mean_state
from nearkin.encoders.texts._kind import TowerOptions
from nearkin.losses.batch_hard_triplet import batch_hard_triplet_loss
from nearkin.losses.captions.info_nce import info_nce_loss
from nearkin.losses.normalised_softmax import normalised_softmax_loss

DIM, DIM_OF_WORDS = 256, 512
# Of the classes in a batch, and of each of their pictures.
CLASSES, PICTURES = 32, 4


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps as small as these gain nothing from threads, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@_one_thread()
def train_on_labels(
    features: Float[np.ndarray, "n features"], labels: Int[np.ndarray, " n"], loss: str, *, steps: int, seed: int = 0
) -> nn.Linear:
    """A linear head trained by "softmax" or by "triplet" on labelled features."""
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(features), torch.from_numpy(labels)
    mean, scale = x.mean(0), x.std()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = nn.Linear(x.shape[1], DIM)
        weight = nn.Parameter(torch.randn(int(y.max()) + 1, DIM))
    # Two rows of one class may be its only ones: they are drawn again rather than left out.
    rows = [torch.nonzero(y == one)[:, 0] for one in range(int(y.max()) + 1)]
    optimiser = torch.optim.AdamW([*head.parameters(), weight], lr=1e-3, weight_decay=1e-2)
    for _ in range(steps):
        classes = torch.randperm(len(rows), generator=generator)[:CLASSES]
        chosen = torch.cat(
            [rows[int(one)][torch.randint(len(rows[int(one)]), (PICTURES,), generator=generator)] for one in classes]
        )
        vectors = F.normalize(head(_dropped((x[chosen] - mean) / scale, generator)), dim=1)
        if loss == "softmax":
            value = normalised_softmax_loss(vectors, y[chosen], weight)
        else:
            value = batch_hard_triplet_loss(vectors, y[chosen], margin=0.2)
        _step(optimiser, value)
    return _folded(head, mean, scale)


def train_on_captions(
    start: Encoder,
    features: Float[np.ndarray, "n features"],
    captions: list[list[str]],
    *,
    steps: int,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Encoder:
    """Two towers in one space: a frozen network of pictures and frozen e5, with a head each, trained by InfoNCE.

    Args:
        start: the frozen network; without a projection.
        features: what it makes of the pictures.
        captions: of each picture, in any languages.
        steps: of 512 pictures, each with one of its captions.
        seed: random seed.
        progress: called with texts embedded and all.
    """
    generator = torch.Generator().manual_seed(seed)
    load_e5()  # Making a network draws numbers, and it is made once in a process: before the seed is set.
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        text, tokenizer = TEXT_TOWERS["e5"].make([], TowerOptions(DIM_OF_WORDS, width=512, dropout=0.3))
        head = nn.Linear(features.shape[1], DIM_OF_WORDS)
        assert isinstance(tokenizer, E5Tokenizer)
        texts = [one for several in captions for one in several]
        owners = torch.tensor([row for row, several in enumerate(captions) for _ in several])
        states = text_states(text, tokenizer, texts, progress)
        x = torch.from_numpy(features)
        mean, scale = x.mean(0), x.std()
        x = (x - mean) / scale
        of_row = [torch.nonzero(owners == row)[:, 0] for row in range(len(x))]
        temperature = nn.Parameter(torch.tensor(0.05).log())
        optimiser = torch.optim.AdamW([*head.parameters(), *text.parameters(), temperature], lr=1e-3, weight_decay=0.1)
        tower: nn.Module = text.train()
        with _one_thread():
            for step in range(steps):
                # The rate falls as a cosine.
                optimiser.param_groups[0]["lr"] = 0.5e-3 * (1 + math.cos(math.pi * step / steps))
                rows = torch.randperm(len(x), generator=generator)[:512]
                picked = torch.stack([of_row[int(row)][_one_of(of_row[int(row)], generator)] for row in rows])
                pictures = F.normalize(head(_dropped(x[rows], generator, 0.7)), dim=1)
                words = F.normalize(_head_of_text(tower, states[picked]), dim=1)
                _step(optimiser, info_nce_loss(pictures, words, temperature=temperature.exp().clamp(min=0.01)))
    image = with_head(start.image, _folded(head, mean, scale))
    encoder = Encoder(image, start.preprocessing, text.eval(), tokenizer)
    encoder.card = (
        "# Two towers\n\nEfficientNet-lite0 to lite2 and multilingual e5, all frozen, with a trained head each.\n"
    )
    return encoder.eval()


def text_states(
    text: nn.Module, tokenizer: E5Tokenizer, texts: list[str], progress: Callable[[int, int], None] | None = None
) -> Float[Tensor, "n width"]:
    """e5's vector of each text."""
    parts = []
    for begin in range(0, len(texts), 64):
        tokens, lengths = (torch.from_numpy(one) for one in tokenizer.encode_padded(texts[begin : begin + 64]))
        with torch.no_grad():
            parts.append(mean_state(text.states(tokens, lengths), lengths))  # type: ignore[operator]
        if progress:
            progress(min(begin + 64, len(texts)), len(texts))
    return torch.cat(parts)


def with_head(tower: ImageTower, head: nn.Linear) -> ImageTower:
    """A tower with the network of another, which is not copied, and a projection."""
    new = ImageTower.__new__(ImageTower)
    nn.Module.__init__(new)
    new.config = dataclasses.replace(tower.config, dim=head.out_features, projection=True)
    new.backbone, new.pooling, new.channels_last = tower.backbone, tower.pooling, tower.channels_last
    new.projection, new.has_trained_projection = head, True
    return new


def _head_of_text(tower: nn.Module, states: Tensor) -> Tensor:
    """What the tower does after e5."""
    vectors = tower.dropout(tower.standardise(states))  # type: ignore[operator]
    mapped: Tensor = tower.projection(vectors) + tower.hidden(vectors)  # type: ignore[operator]
    return mapped


def _one_of(rows: Tensor, generator: torch.Generator) -> int:
    return int(torch.randint(len(rows), (1,), generator=generator))


def _dropped(x: Tensor, generator: torch.Generator, share: float = 0.5) -> Tensor:
    """A share of the features is dropped, by a generator of ours."""
    return x * (torch.rand(x.shape, generator=generator) >= share) / (1 - share)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def _folded(head: nn.Linear, mean: Tensor, scale: Tensor) -> nn.Linear:
    """The head on features as they are: W (x - m) / s + b."""
    folded = skip_init(nn.Linear, head.in_features, head.out_features)
    with torch.no_grad():
        folded.weight.copy_(head.weight / scale)
        folded.bias.copy_(head.bias - folded.weight @ mean)
    return folded.requires_grad_(False)
