"""Kinds of index, one file each: `ivf_pq.py` is the kind `ivf-pq`, and names its class `KIND`.

A new file is a new kind: `build`, `load`, the trial of "auto", the command line, the table in `docs/indexes.md`, the
benchmark and the tests of what every kind promises find it by its name. Listing the names imports none of them.
"""

from nearkin.gallery.index.base import Index
from nearkin.registry import Registry

KINDS: Registry[type[Index]] = Registry(
    "nearkin.gallery.index.kinds", "KIND", "kind of index", 'or "auto", which chooses one'
)

__all__ = ["KINDS"]
