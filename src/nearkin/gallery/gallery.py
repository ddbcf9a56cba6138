"""Gallery: items and their vectors, searched by picture, by words, by vector or by item."""

from collections.abc import Mapping
from pathlib import Path

from nearkin.encoders.embedder import Embedder
from nearkin.errors import InvalidInput
from nearkin.gallery.change_encoder import ReindexSummary
from nearkin.gallery.classes.class_writer import ClassWriter
from nearkin.gallery.format import check_mark, is_marked, write_mark
from nearkin.gallery.grouping import GroupedGallery
from nearkin.gallery.hits import Hit, Hits, Item
from nearkin.gallery.index.info import IndexInfo
from nearkin.gallery.items.check import CheckReport
from nearkin.gallery.items.rows import AddSummary
from nearkin.gallery.items.store import Store
from nearkin.gallery.location import location_of
from nearkin.gallery.own_encoder import put_encoder
from nearkin.gallery.reader import ITEMS

__all__ = ["AddSummary", "CheckReport", "Gallery", "Hit", "Hits", "IndexInfo", "Item", "ReindexSummary"]


class Gallery(ClassWriter, GroupedGallery):
    """Items and the vectors that one encoder made of them; see `create` and `open`.

    It lies in a local folder or on an object store. Many processes may search while others write: a search sees the
    whole of a commit, or nothing of it.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from nearkin.data.images import Preprocessing
        >>> from nearkin.encoders.encoder import Encoder
        >>> from nearkin.encoders.image import ImageTower, ImageTowerConfig
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, shade in ("black", 0), ("white", 255):
        ...     Image.new("L", (20, 30), shade).save(folder / f"{name}.png")
        >>> encoder = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=64, width=64))
        >>> gallery = Gallery.create(folder / "gallery", encoder)
        >>> gallery.add(folder)
        AddSummary(added=2, replaced=0, updated=0, unchanged=0, ...)
        >>> [Path(hit.uri).name for hit in gallery.search(folder / "white.png", k=1)]
        ['white.png']
    """

    @staticmethod
    def create(path: str | Path, encoder: Embedder, *, storage: Mapping[str, str] | None = None) -> "Gallery":
        """Create a gallery without items; it gets a copy of the encoder.

        Args:
            path: a folder that does not exist or is empty, or a URL such as `s3://bucket/shop`.
            encoder: the encoder whose vectors the gallery will hold.
            storage: options of the object store, beside those of the environment; see `location_of`.

        Raises:
            InvalidInput: there is a gallery already, or the folder holds something else.

        Example: see the class.
        """
        location = location_of(path, storage)
        if is_marked(location):
            raise InvalidInput(
                f"'{location}' is a gallery already: open it with Gallery.open, or choose another folder"
            )
        with location.made() as new:
            put_encoder(new, encoder)
            Store.create(new.uri(ITEMS), encoder.fingerprint, encoder.dim, new.storage)
            write_mark(new)
        return Gallery(location, encoder)

    @staticmethod
    def open(
        path: str | Path, encoder: Embedder | None = None, *, storage: Mapping[str, str] | None = None
    ) -> "Gallery":
        """The gallery in a folder or on an object store.

        Args:
            path: its folder or URL.
            encoder: the encoder it was made with; by default the gallery's own copy is loaded when first needed.
            storage: options of the object store, beside those of the environment; see `location_of`.

        Raises:
            ArtefactError: no gallery there, or it is damaged.
            EncoderMismatch: the gallery was made with another encoder; the message says what to do.

        Example:
            >>> Gallery.open("no/such/folder")
            Traceback (most recent call last):
            nearkin.errors.ArtefactError: no gallery at ...
        """
        location = location_of(path, storage)
        check_mark(location)
        return Gallery(location, encoder)

    @staticmethod
    def is_at(path: str | Path, *, storage: Mapping[str, str] | None = None) -> bool:
        """Whether there is a gallery at this path, intact or damaged."""
        return is_marked(location_of(path, storage))

    def __repr__(self) -> str:
        return f"Gallery('{self.location}', {len(self)} items, encoder {self.fingerprint})"
