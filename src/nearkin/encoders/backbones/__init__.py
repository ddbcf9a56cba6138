"""nearkin's own networks, one file each; any other goes by its name in timm.

A file `NAME.py` here is the network that `--backbone NAME` builds. It says so with `BACKBONE = ...`: a module that is
built with the number of channels of a picture and options that are whole numbers, and makes features
`[n, features, rows, columns]` of pictures `[n, channels, height, width]`. Its class says what suits it:

    default_pooling: str    pooling where the user names none
    largest_size: int       side of a picture, in pixels, above which the user must name a size
"""

from typing import Any

from nearkin.registry import Registry

BACKBONES: Registry[Any] = Registry("nearkin.encoders.backbones", "BACKBONE", "backbone")
