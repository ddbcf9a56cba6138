"""Raw pixels as an embedding: the baseline that any encoder has to beat; copies of pictures are found by it too."""

import numpy as np
from jaxtyping import Float, UInt8

# A larger side is a weaker baseline: what is blurred away at 16 are shifts of a pixel or two.
RAW_SIDE = 16


def raw_pixels(pixels: UInt8[np.ndarray, "n height width channels"]) -> Float[np.ndarray, "n raw"]:
    """Pictures as vectors whose cosine is the correlation of their pixels.

    Averaged down to at most 16 x 16 and each picture's mean subtracted, which makes for a stronger baseline than
    plain pixels at full size.

    Args:
        pixels: pictures, 0 to 255.

    Example:
        >>> raw_pixels(np.zeros((1, 64, 64, 3), dtype=np.uint8)).shape
        (1, 768)
    """
    count, height, width, channels = pixels.shape
    tall, wide = -(-height // RAW_SIDE), -(-width // RAW_SIDE)
    rows, columns = height // tall, width // wide
    cells = pixels[:, : rows * tall, : columns * wide].reshape(count, rows, tall, columns, wide, channels)
    vectors = cells.mean(axis=(2, 4), dtype=np.float32).reshape(count, rows * columns * channels)
    return vectors - vectors.mean(axis=1, keepdims=True)
