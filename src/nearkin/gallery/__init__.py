"""Items and vectors that can be searched, pinned to one encoder."""
