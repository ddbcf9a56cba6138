"""Pictures or texts to unit vectors."""
