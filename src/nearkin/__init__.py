"""nearkin: image embeddings by metric learning, and what is done with them: evaluation, search, verification.

Everything public is reached from here. The names stand in `__init__.pyi`; each is imported when it is first used, so
that `import nearkin` is fast.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
