"""What a score means: thresholds with known error rates, probabilities, decisions."""
