"""Training an encoder with Lightning."""
