"""Lance, loaded so that it does not bring pandas; see `nearkin.arrow`."""

from nearkin.arrow import pa as pa

# isort: split
import lance
from lance.file import LanceFileSession

__all__ = ["LanceFileSession", "lance"]
