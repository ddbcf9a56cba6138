"""`where`: a filter in SQL over the columns of a gallery, parsed and checked before Lance sees it."""
