"""Exact search that reads one byte a dimension, and proves that it missed nothing.

Vectors are rounded to 8-bit integers, x ~ x^ = step * numbers, and so is the query. What rounding left out bounds the
error of every score: |<x, q> - <x^, q^>| <= |x - x^| |q| + |x^| |q - q^|. Products of integers are many times
as fast as those of floats. A vector whose score plus its bound stays below the k-th best score minus its bound is none
of the k best; the few others are scored exactly.

Vectors form groups of 32 that share one step and one bound, so that at first only the best score of a group is looked
at. They are centred, which changes no order and makes both the step and the bound smaller.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8, Int32

from nearkin.similarity.exact import Metric, rerank
from nearkin.similarity.int8_product import best_of_groups, int8_products

GROUP = 32
# Integer scores of a block: 16 MiB, so that they are still in the cache when the best are looked for.
_BLOCK_SCORES = 1 << 22
_QUERIES = 256
# Groups whose greatest errors are known without looking at each.
_CHUNK = 128
# Up to so many queries, scoring some rows one by one takes less time than a scan.
_FEW_QUERIES = 3
# What excludes a row; below any true score, and far from the end of int32 up to 30,000 dimensions.
_NEVER = -(1 << 30)
# Relative error of bounds computed in double precision from float32 vectors, of scores rounded to float32, and of those
# near 1 that are divided by the true lengths, with room.
_ROUNDING = 2.0**-19
_LEAST, _MOST = float(np.finfo(np.float32).smallest_subnormal), float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Codes:
    """Vectors as 8-bit integers in groups, and bounds of what rounding left out.

    Args:
        center: what was subtracted from every vector.
        numbers: the integers `[padded, dim]`, padded = n rounded up to full groups.
        step: of each group; centred vector ~ step * numbers.
        residual: of each group, the greatest length of a centred vector minus its rounded one.
        length: of each group, the greatest length of a centred vector.
        half_square: half the squared length of each centred vector.
    """

    center: Float[np.ndarray, " dim"]
    numbers: Int8[np.ndarray, "padded dim"]
    step: Float[np.ndarray, " groups"]
    residual: Float[np.ndarray, " groups"]
    length: Float[np.ndarray, " groups"]
    half_square: Float[np.ndarray, " padded"]

    @staticmethod
    def of(vectors: Float[np.ndarray, "n dim"]) -> "Codes":
        """The codes of float32 vectors."""
        n, dim = vectors.shape
        groups = -(-n // GROUP)
        center = vectors.mean(axis=0, dtype=np.float64).astype(np.float32) if n else np.zeros(dim, np.float32)
        numbers = np.zeros((groups * GROUP, dim), dtype=np.int8)
        step, residual, length = np.ones(groups), np.zeros(groups), np.zeros(groups)
        half_square = np.zeros(groups * GROUP)
        for first in range(0, groups, 1024):
            part = slice(first, min(first + 1024, groups))
            rows = slice(part.start * GROUP, part.stop * GROUP)
            centred = np.zeros((rows.stop - rows.start, dim))
            centred[: n - rows.start] = vectors[rows] - center.astype(np.float64)
            grouped = centred.reshape(-1, GROUP, dim)
            most = np.abs(grouped).max(axis=(1, 2))
            step[part] = np.where(most > 0, most / 127, 1)
            whole = np.rint(grouped / step[part, None, None])
            numbers[rows] = whole.reshape(-1, dim)
            rest = grouped - whole * step[part, None, None]
            residual[part] = np.sqrt(np.einsum("gid,gid->gi", rest, rest).max(axis=1))
            half_square[rows] = np.einsum("nd,nd->n", centred, centred) / 2
            length[part] = np.sqrt(2 * half_square[rows].reshape(-1, GROUP).max(axis=1))
        return Codes(center, numbers, step, residual, length, half_square)

    @property
    def bytes(self) -> int:
        """Memory of all arrays."""
        return sum(array.nbytes for array in vars(self).values())


class CertifiedSearch:
    """Exact neighbours among vectors, by their 8-bit codes.

    Args:
        vectors: float32; may lie in a memory-mapped file, since few of them are read by a search.
        metric: see `exact_scores`.
        codes: of these vectors, if they were kept; computed by default.

    Example:
        >>> search = CertifiedSearch(np.eye(3, dtype=np.float32))
        >>> scores, rows = search(np.array([[0.6, 0.8, 0]], np.float32), k=2)
        >>> scores.tolist(), rows.tolist()
        ([[0.800000011920929, 0.6000000238418579]], [[1, 0]])
    """

    def __init__(
        self, vectors: Float[np.ndarray, "n dim"], metric: Metric = "cosine", codes: Codes | None = None
    ) -> None:
        self.vectors = vectors
        self.metric = metric
        self.codes = codes or Codes.of(vectors)
        middle = float(np.linalg.norm(self.codes.center.astype(np.float64))) if metric == "cosine" else 0.0
        length = self.codes.length
        # The error of a score is the product of these two: a group's measures and a query's.
        self._measures = np.stack(
            [self.codes.residual, length + self.codes.residual, length + middle, length**2, np.ones_like(length)],
            axis=1,
        )
        ends = np.arange(0, len(length), _CHUNK)
        self._chunks = np.maximum.reduceat(self._measures, ends) if len(ends) else self._measures
        half_square = self.codes.half_square.reshape(-1, GROUP)
        self._nearest, self._farthest = half_square.min(axis=1), half_square.max(axis=1)

    def __call__(
        self, queries: Float[np.ndarray, "q dim"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
        """The k vectors most alike to each query, best first; of equal scores the lower row first.

        Args:
            queries: float32.
            k: how many neighbours, k >= 1.
            allowed: which rows may be found; all by default.

        Returns:
            Scores and rows `[q, k]`; where there are fewer, -inf and -1.
        """
        # So few are scored in less time than a scan takes, which costs each of many queries less than a single one.
        few = len(self.vectors) // (64 if len(queries) <= _FEW_QUERIES else 512)
        if allowed is not None and np.count_nonzero(allowed) <= few:
            return rerank(queries, self.vectors, [np.flatnonzero(allowed)] * len(queries), k, self.metric)
        candidates: list[np.ndarray] = []
        for start in range(0, len(queries), _QUERIES):
            candidates += self._candidates(_Rounded.of(queries[start : start + _QUERIES], self), k, allowed)
        return rerank(queries, self.vectors, candidates, k, self.metric)

    def _candidates(self, queries: "_Rounded", k: int, allowed: np.ndarray | None) -> list[np.ndarray]:
        """For each query the rows that may be among its k best; the k best are among them."""
        best = np.full((len(queries), k), -np.inf)
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for groups, scores in self._blocks(queries, allowed):
            step, measures = self.codes.step[groups], self._measures[groups]
            # In steps of the query; the greatest error among the groups serves for all of them.
            most = best_of_groups(scores) * step
            error = queries.measures @ self._greatest(groups)
            low = high = most
            if self.metric == "euclidean":
                low = most - self._farthest[groups] / queries.step[:, None]
                high = most - self._nearest[groups] / queries.step[:, None]
            reached = _highest(low, k) * queries.step[:, None] - error[:, None]
            best = reached if not found and reached.shape[1] == k else _highest(np.append(best, reached, axis=1), k)
            threshold = queries.threshold(best.min(axis=1))
            query, group = _true(high >= ((threshold - error) / queries.step)[:, None])
            # Now row by row, each with the error of its group.
            rows = (group + groups.start)[:, None] * GROUP + np.arange(GROUP)
            scale = queries.step[query] * step[group]
            error = np.einsum("pm,pm->p", queries.measures[query], measures[group])
            offset = self.codes.half_square[rows] if self.metric == "euclidean" else 0.0
            # A row stays if product * scale + error - offset >= threshold.
            least = (offset + (threshold[query] - error)[:, None]) / scale[:, None]
            products = scores[query, group]
            pair, member = _true(products >= np.maximum(least, _NEVER / 2))
            upper = products[pair, member] * scale[pair] + error[pair]
            if self.metric == "euclidean":
                upper -= self.codes.half_square[rows[pair, member]]
            found.append((query[pair], rows[pair, member], upper))
        if not found:
            return [np.empty(0, dtype=np.int64)] * len(queries)
        query, row, upper = (np.concatenate(column) for column in zip(*found, strict=True))
        if len(queries) == 1 == len(found):
            return [row]
        still = upper >= queries.threshold(best.min(axis=1))[query]
        query, row = query[still], row[still]
        order = np.argsort(query, kind="stable")
        ends = np.bincount(query, minlength=len(queries)).cumsum()
        return [row[order[end - size : end]] for size, end in zip(np.diff(ends, prepend=0), ends, strict=True)]

    def _greatest(self, groups: slice) -> Float[np.ndarray, " 5"]:
        return self._chunks[groups.start // _CHUNK : -(-groups.stop // _CHUNK)].max(axis=0)

    def _blocks(
        self, queries: "_Rounded", allowed: np.ndarray | None
    ) -> Iterator[tuple[slice, Int32[np.ndarray, "q groups 32"]]]:
        """Integer scores `[q, groups, GROUP]` of some groups at a time, in a buffer that the next overwrites."""
        total, n = len(self.codes.step), len(self.vectors)
        height = max(1, min(total, _BLOCK_SCORES // (GROUP * len(queries))))
        buffer = np.empty(len(queries) * height * GROUP, dtype=np.int32)
        for start in range(0, total, height):
            groups = slice(start, min(start + height, total))
            rows = slice(groups.start * GROUP, groups.stop * GROUP)
            codes = self.codes.numbers[rows]
            scores = buffer[: len(queries) * len(codes)].reshape(len(queries), -1)
            int8_products(queries.numbers, codes, scores)
            if allowed is not None:
                excluded = ~allowed[rows]
                scores[:, : len(excluded)] += excluded * np.int32(_NEVER)
            if rows.stop > n:
                scores[:, n - rows.start :] = _NEVER
            yield groups, scores.reshape(len(queries), -1, GROUP)


@dataclass(frozen=True, eq=False)
class _Rounded:
    """Queries as 8-bit integers; `measures` holds what the error of a score grows with."""

    numbers: Int8[np.ndarray, "q dim"]
    step: Float[np.ndarray, " q"]
    measures: Float[np.ndarray, "q 5"]
    base: Float[np.ndarray, " q"]
    factor: int

    @staticmethod
    def of(queries: Float[np.ndarray, "q dim"], search: CertifiedSearch) -> "_Rounded":
        exact, center = queries.astype(np.float64), search.codes.center.astype(np.float64)
        cosine = search.metric == "cosine"
        # score = factor * (what is bounded) + base
        base, factor = (exact @ center, 1) if cosine else (-((exact - center) ** 2).sum(axis=1), 2)
        exact = exact if cosine else exact - center
        step = np.abs(exact).max(axis=1, initial=0) / 127
        step[step == 0] = 1
        whole = np.rint(exact / step[:, None])
        length = np.sqrt((exact * exact).sum(axis=1))
        measures = np.empty((len(queries), 5))
        measures[:, 0] = length
        measures[:, 1] = np.sqrt(((exact - whole * step[:, None]) ** 2).sum(axis=1))
        # Rounding is noise in proportion to the lengths of x and q, or to the square of their sum.
        measures[:, 2] = factor * _ROUNDING * length
        measures[:, 3] = 0 if cosine else _ROUNDING
        measures[:, 4] = _LEAST if cosine else _ROUNDING * length**2 + _LEAST
        return _Rounded(whole.astype(np.int8), step, measures, base, factor)

    def __len__(self) -> int:
        return len(self.step)

    def threshold(self, low: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
        """What the k best reach, if so many rows reach `low`. Beyond the range of float32 all scores are equal."""
        score = self.factor * low + self.base
        if np.abs(score).max(initial=0) <= _MOST:
            return low
        low = np.where(score > _MOST, (_MOST - self.base) / self.factor, low)
        return np.where(score < -_MOST, -np.inf, low)


def _highest(values: Float[np.ndarray, "q n"], k: int) -> Float[np.ndarray, "q k"]:
    """The k highest of each row, in any order."""
    left_out = max(0, values.shape[1] - k)
    return np.partition(values, left_out, axis=1)[:, left_out:] if left_out else values


def _true(flags: Bool[np.ndarray, "q n"]) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Where flags are set, as `np.nonzero`, several times as fast."""
    return np.divmod(np.flatnonzero(flags), flags.shape[1])
