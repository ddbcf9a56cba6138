"""Where an encoder computes: the processor, or a GPU."""

from typing import Any

from nearkin.errors import InvalidInput, UnknownName

DEVICES = ("auto", "cpu", "cuda")


def check_device(device: str) -> None:
    """Refuse a device that does not exist anywhere.

    Raises:
        UnknownName: neither auto, cpu nor cuda.
    """
    if device not in DEVICES:
        raise UnknownName("device", device, DEVICES)


def to_device(encoder: Any, device: str) -> Any:
    """The encoder on a device; "auto" is the GPU if there is one.

    Raises:
        UnknownName: no such device.
        InvalidInput: there is no GPU here.
    """
    check_device(device)
    if device == "cpu" or not hasattr(encoder, "to"):
        return encoder
    import torch

    if torch.cuda.is_available():
        return encoder.to("cuda")
    if device == "cuda":
        raise InvalidInput("--device cuda: torch finds no GPU here; leave the option out, or say cpu")
    return encoder
