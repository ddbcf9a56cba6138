"""Starts: pretrained models by name, one file each. `nearkin index lite0 photos/ shop` needs no training.

A file `lite0.py` is the start `lite0`, and declares itself by `START`. What it says of itself is read without its
package and without torch; the weights come from an installed package, whose file is checked by its SHA-256.
"""

from nearkin.encoders.starts._start import Start
from nearkin.registry import Registry

STARTS: Registry[Start] = Registry(
    "nearkin.encoders.starts", "START", "start", "`nearkin starts` lists them; a model is a folder or a name on the Hub"
)

__all__ = ["STARTS", "Start", "start_named"]


def start_named(model: object) -> Start | None:
    """The start that `model` names, or None: a file or folder of that name comes first.

    Example:
        >>> start_named("lite0").embeds
        'pictures'
        >>> start_named("runs/photos") is None
        True
    """
    from pathlib import Path

    if not isinstance(model, str | Path) or str(model) not in STARTS or Path(model).exists():
        return None
    return STARTS[str(model)]
