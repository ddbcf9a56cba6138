"""What clusterers are made of: the neighbour graph, linkage on it, the choice of a level, links that people set."""
