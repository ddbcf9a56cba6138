"""Kinds of index over vectors, on one small interface; faiss beneath, where it is of use."""

from nearkin.gallery.index.base import FEWEST_APPROXIMATE, Found, Index
from nearkin.gallery.index.building import AUTO_IS_EXACT_UP_TO, build, check_kind, kind_names
from nearkin.gallery.index.files import load
from nearkin.gallery.index.kinds import KINDS
from nearkin.gallery.index.kinds.exact import ExactIndex
from nearkin.gallery.index.recall import measure_recall

__all__ = [
    "AUTO_IS_EXACT_UP_TO",
    "FEWEST_APPROXIMATE",
    "KINDS",
    "ExactIndex",
    "Found",
    "Index",
    "build",
    "check_kind",
    "kind_names",
    "load",
    "measure_recall",
]
