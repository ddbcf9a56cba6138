"""Gallery: items and their vectors on disk, searched by picture, by words or by vector."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from filelock import FileLock
from jaxtyping import Float
from PIL import Image

from nearkin.arrays import as_vectors, unit
from nearkin.data.items import Items
from nearkin.data.sources import read_items
from nearkin.encoders.embedder import Embedder
from nearkin.encoders.encoder import Encoder, PictureLike
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery.ingest import AddSummary, ingest
from nearkin.gallery.pin import PIN, Pin
from nearkin.gallery.query import kind_of
from nearkin.gallery.store import Store
from nearkin.gallery.view import Hit, View
from nearkin.progress import Progress

# What the folder holds beside the pin.
ITEMS, ENCODER, LOCK = "items.lance", "encoder", ".lock"


class Gallery:
    """Items and their vectors in a folder, pinned to one encoder; made by `create` or `open`.

    Many processes may search while one adds: a search sees all of a chunk that is being added, or nothing of it.
    Adds from several processes wait for each other.

    Example:
        >>> import tempfile
        >>> from nearkin.data.images import Preprocessing
        >>> from nearkin.encoders.image import ImageTower, ImageTowerConfig
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, shade in ("black", 0), ("white", 255):
        ...     Image.new("L", (20, 30), shade).save(folder / f"{name}.png")
        >>> encoder = Encoder(ImageTower(ImageTowerConfig("conv4", dim=8)), Preprocessing(height=64, width=64))
        >>> gallery = Gallery.create(folder / "gallery", encoder)
        >>> gallery.add(folder)
        AddSummary(added=2, replaced=0, updated=0, unchanged=0, skipped=())
        >>> [Path(hit.uri).name for hit in gallery.search(folder / "white.png", k=1)]
        ['white.png']
    """

    def __init__(self, path: Path, pin: Pin, encoder: Embedder | None) -> None:
        self.path = path
        self._pin = pin
        self._encoder = encoder
        self._store = Store(path / ITEMS)
        self._view = View(self._store.snapshot())

    @staticmethod
    def create(path: str | Path, encoder: Embedder) -> "Gallery":
        """A new gallery without items; a copy of the encoder goes into it.

        Args:
            path: a folder that does not exist, or is empty.
            encoder: whose vectors the gallery will hold.

        Raises:
            InvalidInput: there is a gallery already, or the folder holds something else.

        Example: see the class.
        """
        path = Path(path).absolute()
        if Gallery.is_at(path):
            raise InvalidInput(f"'{path}' is a gallery already: open it with Gallery.open, or choose another folder")
        pin = Pin(encoder.fingerprint, encoder.dim)
        try:
            if path.exists() and any(path.iterdir()):
                raise InvalidInput(f"'{path}' is not empty, and no gallery: choose another folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            # Built beside its place and moved there: what is killed on the way leaves no half of a gallery.
            with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
                gallery = Path(folder, path.name)
                gallery.mkdir()
                encoder.save_pretrained(gallery / ENCODER)
                Store.create(gallery / ITEMS, pin.dim)
                pin.write(gallery)
                gallery.rename(path)
        except OSError as error:
            raise InvalidInput(f"cannot make a gallery at '{path}': {error.strerror or error}") from error
        return Gallery(path, pin, encoder)

    @staticmethod
    def open(path: str | Path, encoder: Embedder | None = None) -> "Gallery":
        """The gallery in a folder.

        Args:
            path: its folder.
            encoder: the one it was made with; by default the gallery's own copy is loaded when first needed.

        Raises:
            ArtefactError: no gallery there, or it is damaged.
            EncoderMismatch: the gallery was made with another encoder; the message says what to do.

        Example:
            >>> Gallery.open("no/such/folder")
            Traceback (most recent call last):
            nearkin.errors.ArtefactError: no gallery at ...
        """
        path = Path(path).absolute()
        pin = Pin.read(path)
        if encoder is not None:
            pin.check(encoder, path)
        return Gallery(path, pin, encoder)

    @staticmethod
    def is_at(path: str | Path) -> bool:
        """Whether there is a gallery in this folder, sound or damaged."""
        return Path(path, PIN).exists()

    def __len__(self) -> int:
        return len(self._newest().snapshot)

    def __repr__(self) -> str:
        return f"Gallery('{self.path}', {len(self)} items, encoder {self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Of the encoder that the gallery is pinned to."""
        return self._pin.encoder

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return self._pin.dim

    @property
    def encoder(self) -> Embedder:
        """The encoder that the gallery is pinned to.

        Raises:
            ArtefactError: the gallery's copy is missing, damaged, or not the pinned one.
        """
        if self._encoder is None:
            encoder = Encoder.from_pretrained(self.path / ENCODER)
            if encoder.fingerprint != self.fingerprint:
                raise ArtefactError(
                    f"gallery '{self.path}': the model in {ENCODER}/ is {encoder.fingerprint}, wanted "
                    f"{self.fingerprint}: put that one back, or pass it to Gallery.open"
                )
            self._encoder = encoder
        return self._encoder

    def add(
        self,
        source: str | Path | Items,
        *,
        label: str | None = None,
        captions: str | Sequence[str] | None = None,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> AddSummary:
        """Add pictures, or bring those that are there up to date.

        A picture is known by its uri. One whose size and time, or else content, are unchanged is not embedded again;
        changed content is, under its old id. Labels, captions and metadata become what the source says; a column that
        the source does not fill stays as it is. Each chunk of pictures is committed at once: if the process is killed,
        the same call later does the rest, and nothing is lost or doubled.

        Args:
            source: a folder, a table, `hf://name`, or items, as `read_items` takes them.
            label, captions: as in `read_items`.
            strict: stop at a picture that cannot be read, instead of skipping it. What was added before it stays.
            progress: called with the pictures done and all pictures.

        Returns:
            What became of the pictures; the skipped ones by name.

        Raises:
            SourceError: the source cannot be read.
            InvalidInput: a picture occurs twice, or a column cannot be stored; nothing is added.
            PictureError: `strict`, and a picture cannot be read.

        Example: see the class.
        """
        items = read_items(source, label=label, captions=captions)
        with self._alone():
            summary = ingest(items, self._store, self.encoder, strict=strict, progress=progress)
            self._store.clean_up()
        return summary

    def search(self, query: PictureLike, k: int = 10) -> list[Hit]:
        """The items most alike to a picture, a text or a vector.

        Args:
            query: a picture (path, Pillow picture, pixels), words (a string that is no file's name), or a vector
                `[dim]` of this gallery's encoder, of any length but zero.
            k: hits wanted, k >= 1.

        Returns:
            min(k, len(gallery)) hits, best first; of equal scores the lower id comes first.

        Raises:
            InvalidInput: k < 1, the gallery is empty, no such picture file, a vector with another count of numbers,
                with NaN, or zero; words for an encoder of pictures only.
            PictureError: the picture cannot be decoded.

        Example:
            >>> Gallery.open("flowers").search("red rose", k=3)  # doctest: +SKIP
        """
        if k < 1:
            raise InvalidInput(f"k is {k}, wanted at least 1")
        view = self._newest()
        if not len(view.index):
            raise InvalidInput(f"gallery '{self.path}' is empty: add pictures with Gallery.add or `nearkin index`")
        return view.search(self._embed(query), k)

    def thumbnail(self, id: int) -> Image.Image:
        """The small picture that is kept of an item, at most 96 pixels a side.

        Raises:
            InvalidInput: no item has this id.
        """
        return self._newest().thumbnail(id)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other process writes, and keep others from it. The lock ends with the process that holds it."""
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire()
        except OSError as error:
            raise ArtefactError(f"gallery '{self.path}' cannot be written: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()

    def _newest(self) -> View:
        """The items as the newest commit left them, whichever process made it."""
        if self._view.snapshot.version != self._store.version:
            self._view = View(self._store.snapshot())
        return self._view

    def _embed(self, query: PictureLike) -> Float[np.ndarray, " dim"]:
        """The unit vector of whatever was asked for."""
        match kind_of(query):
            case "vector":
                return self._checked(np.asarray(query))
            case "words":
                return self.encoder.embed_texts([str(query)])[0]
            case "picture":
                return self.encoder.embed_images([query])[0]

    def _checked(self, vector: np.ndarray) -> Float[np.ndarray, " dim"]:
        """A vector from outside, scaled to unit length."""
        if len(vector) != self.dim:
            raise InvalidInput(
                f"query has {len(vector)} numbers, gallery '{self.path}' holds {self.dim} "
                f"(encoder {self.fingerprint}): embed it with that encoder"
            )
        query = as_vectors(vector, "query")[0]
        if not query.any():
            raise InvalidInput("query is the zero vector, which has no direction: wanted another")
        return unit(query)
