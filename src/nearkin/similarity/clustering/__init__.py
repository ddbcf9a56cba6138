"""Embeddings to clusters: one file per method."""
