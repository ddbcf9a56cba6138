"""Kinds of index over vectors, on one small interface; faiss beneath, where it is of use."""

from nearkin.gallery.index.base import Found, Index
from nearkin.gallery.index.files import load
from nearkin.gallery.index.kinds.exact import ExactIndex
from nearkin.gallery.index.kinds.lsh import LshIndex
from nearkin.gallery.index.tuning import KINDS, build, measure_recall

__all__ = ["KINDS", "ExactIndex", "Found", "Index", "LshIndex", "build", "load", "measure_recall"]
