"""One file per kind of index."""
