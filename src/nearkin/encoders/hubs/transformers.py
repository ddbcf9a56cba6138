"""Models of transformers: CLIP and SigLIP kinds with two towers, or any network for pictures; by name or by folder."""

from typing import Any

from nearkin.encoders.hubs import Library
from nearkin.encoders.hubs._answering import from_hub
from nearkin.errors import InvalidInput


def load(name: str) -> Any:
    """The encoder, with the model's own tokenizer and its picture processor's size, mean and standard deviation."""
    import transformers

    from nearkin.encoders.hubs._two_towers import ForeignEncoder

    with from_hub(f"transformers:{name}"):
        config = transformers.AutoConfig.from_pretrained(name)
        two = hasattr(config, "vision_config") and hasattr(config, "text_config")
        processor = transformers.AutoImageProcessor.from_pretrained(name)
        tokenizer = transformers.AutoTokenizer.from_pretrained(name) if two else None
        model = transformers.AutoModel.from_pretrained(name).eval()
    if two and not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
        raise InvalidInput(f"model 'transformers:{name}' ({config.model_type}) has no vectors of pictures and texts")
    if not two and getattr(model, "main_input_name", "") != "pixel_values":
        raise InvalidInput(f"model 'transformers:{name}' ({config.model_type}) takes no pictures")

    def pictures(pixels: Any) -> Any:
        return _vectors(model.get_image_features(pixel_values=pixels) if two else model(pixel_values=pixels))

    def texts(several: list[str]) -> Any:
        assert tokenizer is not None
        # SigLIP was trained on texts that are all padded to the longest.
        longest = config.text_config.max_position_embeddings
        tokens = tokenizer(several, padding="max_length", truncation=True, max_length=longest, return_tensors="pt")
        given = {key: value.to(model.device) for key, value in tokens.items() if key in tokenizer.model_input_names}
        return _vectors(model.get_text_features(**given))

    return ForeignEncoder(f"transformers:{name}", model, _preprocessing(processor), pictures, texts if two else None)


def _vectors(output: Any) -> Any:
    """One vector of each: pooled if the model pools, else the mean over positions."""
    import torch

    if isinstance(output, torch.Tensor):
        return output
    pooled = getattr(output, "pooler_output", None)
    if pooled is not None:
        return pooled.flatten(1)
    states = output.last_hidden_state
    return states.mean((2, 3)) if states.ndim == 4 else states.mean(1)


def _preprocessing(processor: Any) -> Any:
    from nearkin.data.images import Preprocessing

    size = dict(getattr(processor, "crop_size", None) or processor.size)
    height, width = (size.get(side) or size.get("shortest_edge") or 224 for side in ("height", "width"))
    fit = "crop" if getattr(processor, "do_center_crop", False) else "squash"
    mean, std = processor.image_mean or (0.5,), processor.image_std or (0.5,)
    return Preprocessing(int(height), int(width), 3, fit, tuple(mean), tuple(std))


LIBRARY = Library(
    "transformers", "transformers", "transformers", "clip",
    "a model such as transformers:google/siglip-base-patch16-224, or a folder", load,
)  # fmt: skip
