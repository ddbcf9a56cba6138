"""What every loss keeps to, found by its file: nothing else needs to know of it."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest
import torch
from torch.nn.functional import normalize

import nearkin.losses
from nearkin.losses import CAPTION_LOSSES, LOSSES, build_caption_loss, build_loss, takes_references
from nearkin.losses.engine.by_name import options_of
from nearkin.registry import Registry

EVERY = [(registry, name) for registry in (LOSSES, CAPTION_LOSSES) for name in registry]


@pytest.mark.parametrize(("registry", "name"), EVERY, ids=[name for _, name in EVERY])
def test_a_file_holds_its_formula_and_says_what_is_built(registry: Registry, name: str) -> None:
    make = registry[name]
    module = import_module(make.__module__)
    function = getattr(module, f"{name.replace('-', '_')}_loss")
    assert make is function or (inspect.isclass(make) and make.__name__.lower() == f"{name}loss".replace("-", ""))
    assert getattr(nearkin.losses, function.__name__) is function
    assert getattr(nearkin.losses, make.__name__) is make
    assert registry[name.replace("-", "_")] is make
    for part in ("Args:", "Returns:", "Raises:", "Example:", "Source:"):
        assert part in str(inspect.getdoc(function))
    for option, default in options_of(make).items():
        assert default is not inspect.Parameter.empty, option
        assert option in str(inspect.getdoc(make)), option


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_on_labels_is_a_scalar_that_learns_and_ignores_the_order_of_rows(name: str) -> None:
    loss = build_loss(name, classes=4, dim=5, generator=torch.Generator().manual_seed(0))
    if isinstance(loss, torch.nn.Module):
        loss.eval()
    embeddings = normalize(torch.randn(12, 5, generator=torch.Generator().manual_seed(1))).requires_grad_()
    labels = torch.arange(12) % 4
    value = loss(embeddings, labels)
    assert value.shape == ()
    assert value >= 0
    value.backward()
    assert embeddings.grad.isfinite().all()
    assert embeddings.grad.any()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(loss(embeddings[order], labels[order]), value)
    assert loss(embeddings[:0], labels[:0]) == 0
    if takes_references(loss):
        assert loss(embeddings, labels, ref_embeddings=embeddings.flip(0), ref_labels=labels.flip(0)).isfinite()


@pytest.mark.parametrize("name", CAPTION_LOSSES)
def test_a_loss_on_captions_is_a_scalar_that_learns_and_ignores_the_order_of_pairs(name: str) -> None:
    loss = build_caption_loss(name)
    random = torch.Generator().manual_seed(0)
    images, texts = (normalize(torch.randn(6, 5, generator=random)).requires_grad_() for _ in range(2))
    ids = torch.tensor([0, 0, 1, 2, 3, 4])
    value = loss(images, texts, image_ids=ids, text_ids=torch.arange(6))
    value.backward()
    assert value.shape == ()
    assert images.grad.isfinite().all()
    assert images.grad.any()
    assert texts.grad.any()
    order = torch.randperm(6, generator=random)
    moved = loss(images[order], texts[order], image_ids=ids[order], text_ids=torch.arange(6)[order])
    torch.testing.assert_close(moved, value)


def test_names_are_known_without_torch() -> None:
    code = "import sys, nearkin.losses as l; assert 'proxy-nca' in l.LOSSES and 'vse' in l.CAPTION_LOSSES; dir(l)"
    check = "assert 'torch' not in sys.modules; l.triplet_loss; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True)


def test_an_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tripplet_loss'"):
        _ = nearkin.losses.tripplet_loss
