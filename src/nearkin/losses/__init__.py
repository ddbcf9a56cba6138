"""Losses: a formula each; a class only where there are weights."""
