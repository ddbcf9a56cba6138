"""An evaluation shown: page, plots, mistakes."""
