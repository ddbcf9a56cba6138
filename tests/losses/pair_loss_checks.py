"""What holds for every loss over pairs or triplets: a test class inherits it and names the loss and its slow twin."""

from collections.abc import Callable
from inspect import unwrap
from typing import ClassVar

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from nearkin.errors import InvalidInput
from nearkin.losses.engine import by_anchor
from tests.losses.cases import CASES, assert_same, value_and_gradient


def others(a: int, labels: Tensor, ref_labels: Tensor, within: bool) -> tuple[list[int], list[int]]:
    """The positives and the negatives of an anchor, by number."""
    numbers = [r for r in range(len(ref_labels)) if not (within and r == a)]
    same = [bool(labels[a] == ref_labels[r]) for r in numbers]
    return (
        [r for r, alike in zip(numbers, same, strict=True) if alike],
        [r for r, alike in zip(numbers, same, strict=True) if not alike],
    )


def mean_of(terms: list[Tensor], like: Tensor) -> Tensor:
    """The mean, or 0 of nothing."""
    return torch.stack(terms).mean() if terms else like.sum() * 0


class PairLossChecks:
    """Inherit, set `loss`, `twin` and what differs.

    A twin is called as `twin(anchors, labels, references, ref_labels, within, **options)`.
    """

    loss: Callable[..., Tensor]
    twin: Callable[..., Tensor]
    options: ClassVar[tuple[dict, ...]] = ({},)
    # Rows of unit length, as the losses over dot products expect.
    unit = True
    # Where the hardest of several equal ones is taken, any may be: only the values are compared.
    values_only: ClassVar[tuple[str, ...]] = ()
    tolerance: ClassVar[dict] = {torch.float32: 1e-5, torch.float64: 1e-9}
    same_in_any_place = False
    bad_options: ClassVar[tuple[tuple[dict, str], ...]] = ()

    def batch(self, case: str) -> tuple[Tensor, Tensor]:
        embeddings, labels = CASES[case]
        return (torch.nn.functional.normalize(embeddings).float().double() if self.unit else embeddings), labels

    def ours(self, labels: Tensor, options: dict) -> Callable[[Tensor], Tensor]:
        return lambda x: type(self).loss(x, labels, **options)

    def slow(self, labels: Tensor, options: dict) -> Callable[[Tensor], Tensor]:
        return lambda x: type(self).twin(x, labels, x, labels, True, **options)

    @pytest.mark.parametrize("case", CASES)
    def test_equals_its_slow_twin(self, case: str) -> None:
        embeddings, labels = self.batch(case)
        for options in self.options:
            wanted = value_and_gradient(self.slow(labels, options), embeddings)
            for dtype, tolerance in self.tolerance.items():
                got = value_and_gradient(self.ours(labels, options), embeddings.to(dtype))
                assert got[0].dtype == got[1].dtype == dtype
                assert got[1].isfinite().all()
                both = slice(1 if case in self.values_only else 2)
                assert_same(got[both], wanted[both], tolerance)
                with torch.no_grad():
                    value = type(self).loss(embeddings.to(dtype), labels, **options)
                assert_same((value,), got[:1], tolerance)

    @pytest.mark.parametrize("learned", [True, False], ids=["references learn", "references fixed"])
    def test_equals_its_twin_over_a_reference_set(self, learned: bool) -> None:
        (anchors, labels), (refs, ref_labels) = self.batch("ragged"), self.batch("balanced")
        both = torch.cat([anchors, refs])

        def references(x: Tensor) -> Tensor:
            return x[12:] if learned else x[12:].detach()

        for options in self.options:
            got, wanted = (
                value_and_gradient(loss, both)
                for loss in (
                    lambda x, o=options: type(self).loss(
                        x[:12], labels, ref_embeddings=references(x), ref_labels=ref_labels, **o
                    ),
                    lambda x, o=options: type(self).twin(x[:12], labels, references(x), ref_labels, False, **o),
                )
            )
            assert wanted[0] > 0
            assert_same(got, wanted, self.tolerance[torch.float64])

    def test_an_empty_reference_set_gives_0(self) -> None:
        embeddings, labels = self.batch("balanced")
        refs = {"ref_embeddings": embeddings[:0], "ref_labels": labels[:0]}
        value, gradient = value_and_gradient(lambda x: type(self).loss(x, labels, **refs), embeddings)
        assert value == 0
        assert not gradient.any()

    def test_gradcheck(self) -> None:
        (anchors, labels), (refs, ref_labels) = self.batch("ragged"), self.batch("balanced")
        options = self.options[-1]
        assert torch.autograd.gradcheck(self.ours(labels, options), anchors.clone().requires_grad_(), fast_mode=True)
        assert torch.autograd.gradcheck(
            lambda x, y: type(self).loss(x, labels, ref_embeddings=y, ref_labels=ref_labels, **options),
            (anchors.clone().requires_grad_(), refs.clone().requires_grad_()),
            fast_mode=True,
        )

    @settings(suppress_health_check=[HealthCheck.differing_executors], max_examples=25, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 16), st.integers(1, 4))
    def test_order_names_and_rotation_do_not_matter(self, seed: int, count: int, classes: int) -> None:
        random = torch.Generator().manual_seed(seed)
        embeddings = torch.randn(count, 3, dtype=torch.float64, generator=random)
        labels = torch.randint(classes, (count,), generator=random)
        embeddings = torch.nn.functional.normalize(embeddings)
        order = torch.randperm(count, generator=random)
        turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=random)).Q
        names = torch.randperm(classes, generator=random) * 1000 - 500
        moved = embeddings[order] @ turn + (100 if self.same_in_any_place else 0)
        changed = type(self).loss(moved, names[labels[order]], **self.options[-1])
        value = type(self).loss(embeddings, labels, **self.options[-1])
        torch.testing.assert_close(changed, value, rtol=1e-8, atol=1e-8)

    def test_several_blocks_and_tiles_equal_the_twin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # A batch of thousands has several of either; that would be too much for the twin.
        monkeypatch.setattr(by_anchor, "_CPU_BLOCK", 30)
        monkeypatch.setattr(by_anchor, "_CPU_TILE", 5)
        self.test_equals_its_slow_twin("ragged")
        self.test_equals_its_twin_over_a_reference_set(True)

    def test_the_gradient_from_above_scales(self) -> None:
        embeddings, labels = self.batch("balanced")
        loss = self.ours(labels, {})
        once = value_and_gradient(loss, embeddings)[1]
        thrice = value_and_gradient(lambda x: 3 * loss(x), embeddings)[1]
        assert once.any()
        torch.testing.assert_close(thrice, 3 * once)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_half_precision_is_computed_in_full(self, dtype: torch.dtype) -> None:
        embeddings, labels = self.batch("balanced")
        halves = embeddings.to(dtype)
        value, gradient = value_and_gradient(self.ours(labels, {}), halves)
        assert value.dtype == torch.float32
        assert gradient.dtype == dtype
        exact = value_and_gradient(self.ours(labels, {}), halves.double())
        assert_same((value, value), (exact[0], exact[0]), self.tolerance[torch.float32])
        torch.testing.assert_close(gradient.double(), exact[1], rtol=1e-2, atol=1e-2)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            in_autocast = value_and_gradient(self.ours(labels, {}), embeddings.float())
        assert_same(in_autocast, value_and_gradient(self.ours(labels, {}), embeddings.float()), 1e-6)

    @pytest.mark.parametrize("length", [100.0, 1e4])
    def test_huge_scores_give_finite_numbers(self, length: float) -> None:
        embeddings, labels = self.batch("ragged")
        value, gradient = value_and_gradient(self.ours(labels, {}), (embeddings * length**0.5).float())
        assert value.isfinite()
        assert gradient.isfinite().all()

    def test_bad_options_are_refused(self) -> None:
        for options, message in self.bad_options:
            with pytest.raises(InvalidInput, match=message):
                unwrap(type(self).loss)(torch.zeros(2, 2), torch.arange(2), **options)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"labels": torch.arange(3)}, "labels: 3 given for 2 embeddings"),
            ({"labels": torch.zeros(2)}, r"labels: expected whole numbers \[n\], got torch.float32"),
            ({"embeddings": torch.tensor([[0.0], [torch.nan]])}, "1 of 2 rows hold NaN"),
            ({"ref_labels": torch.arange(2)}, "needs both"),
            ({"ref_embeddings": torch.zeros(2, 3), "ref_labels": torch.arange(2)}, "have 3 numbers, embeddings 2"),
        ],
    )
    def test_bad_batches_are_refused(self, change: dict, message: str) -> None:
        given = {"embeddings": torch.zeros(2, 2), "labels": torch.arange(2), **change}
        # Users have no checker of annotations; the tests' own would refuse these first.
        with pytest.raises(InvalidInput, match=message):
            unwrap(type(self).loss)(**given)
