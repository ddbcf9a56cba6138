"""Pictures, labels and captions from a source to batches."""
