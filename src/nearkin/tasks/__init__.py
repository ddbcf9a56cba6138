"""Encoder and gallery put to work."""
