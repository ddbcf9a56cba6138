"""One file per family of metrics: arrays in, numbers with intervals out."""
