"""Names for pictures from a few examples of each class, or "unknown" at a promised rate: arrays in, decisions out."""
