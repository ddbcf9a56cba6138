"""Kinds of index over vectors, on one small interface; faiss beneath, where it is of use."""

from nearkin.gallery.indexes.exact import ExactIndex
from nearkin.gallery.indexes.files import load
from nearkin.gallery.indexes.index import Found, Index
from nearkin.gallery.indexes.lsh import LshIndex
from nearkin.gallery.indexes.tuning import KINDS, build, measure_recall

__all__ = ["KINDS", "ExactIndex", "Found", "Index", "LshIndex", "build", "load", "measure_recall"]
