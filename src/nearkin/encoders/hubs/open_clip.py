"""Two towers by open_clip: `open_clip:ViT-B-32/laion2b_s34b_b79k`, or a local file of weights in place of the tag."""

from typing import Any

from nearkin.encoders.hubs import Library
from nearkin.encoders.hubs._answering import from_hub
from nearkin.errors import InvalidInput, UnknownName


def load(name: str) -> Any:
    """The encoder, with open_clip's own tokenizer."""
    import open_clip
    import torch

    from nearkin.data.images import Preprocessing
    from nearkin.encoders.hubs._two_towers import ForeignEncoder

    network, _, tag = name.partition("/")
    if network not in open_clip.list_models():
        raise UnknownName("network of open_clip", network, open_clip.list_models())
    if not tag:
        known = open_clip.list_pretrained_tags_by_model(network)
        listed = f": {', '.join(known)}" if known else ""
        raise InvalidInput(f"'open_clip:{name}' names no weights: expected open_clip:{network}/TAG{listed}, or a file")
    with from_hub(f"open_clip:{name}"):
        model = open_clip.create_model(network, pretrained=tag).eval()
        tokenizer = open_clip.get_tokenizer(network)
    stated = model.visual
    height, width = (stated.image_size,) * 2 if isinstance(stated.image_size, int) else stated.image_size
    mean = getattr(stated, "image_mean", None) or open_clip.OPENAI_DATASET_MEAN
    std = getattr(stated, "image_std", None) or open_clip.OPENAI_DATASET_STD
    fit = {"squash": "squash", "longest": "pad"}.get(_resize_mode(model) or "", "crop")
    preprocessing = Preprocessing(height, width, 3, fit, tuple(mean), tuple(std))

    def texts(several: list[str]) -> torch.Tensor:
        device = next(model.parameters()).device
        vectors: torch.Tensor = model.encode_text(tokenizer(several).to(device))
        return vectors

    return ForeignEncoder(f"open_clip:{name}", model, preprocessing, model.encode_image, texts)


def _resize_mode(model: Any) -> str | None:
    mode: str | None = (getattr(model.visual, "preprocess_cfg", None) or {}).get("resize_mode")
    return mode


LIBRARY = Library(
    "open_clip", "open_clip", "open_clip_torch", "clip", "a network and its weights, such as "
    "open_clip:ViT-B-32/laion2b_s34b_b79k", load,
)  # fmt: skip
