"""Pictures to pixels: the parts by one name."""

from nearkin.data.decoding import MAX_PIXELS, decode
from nearkin.data.loading import content_hash
from nearkin.data.preprocessing import Preprocessing
from nearkin.data.streaming import PixelBatch, stream_pixels

__all__ = ["MAX_PIXELS", "PixelBatch", "Preprocessing", "content_hash", "decode", "stream_pixels"]
