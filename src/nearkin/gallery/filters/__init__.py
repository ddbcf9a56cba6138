"""`where`: a filter in SQL over the columns of a gallery, parsed and checked before Lance sees it."""

from nearkin.gallery.filters.condition import Condition, checked_filter, fails_on_an_item

__all__ = ["Condition", "checked_filter", "fails_on_an_item"]
