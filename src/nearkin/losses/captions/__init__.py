"""Losses on pairs of a picture and its caption, one file each."""
