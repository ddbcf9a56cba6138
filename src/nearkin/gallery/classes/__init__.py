"""The class registry of a gallery: what people said about names, an append-only log, and what follows."""
