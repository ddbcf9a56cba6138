"""A model of another library as an encoder: pictures, and texts if it has a tower for them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

import nearkin
from nearkin.arrays import check_count
from nearkin.data.images import Preprocessing
from nearkin.encoders.artefact import Artefact
from nearkin.encoders.encoder import Encoder
from nearkin.encoders.image import ImageTower, ImageTowerConfig
from nearkin.errors import InvalidInput
from nearkin.progress import Progress


class _Pictures(ImageTower):
    """The picture side of a network, in the place of an image tower."""

    def __init__(self, network: nn.Module, embed: Callable[[Tensor], Tensor], config: ImageTowerConfig) -> None:
        nn.Module.__init__(self)
        self.network, self.embed, self.config = network, embed, config

    def forward(self, pictures: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n dim"]:
        return self.embed(pictures)


class ForeignEncoder(Encoder):
    """An encoder whose network is another library's.

    Its weights stay where that library keeps them: `save_pretrained` writes the model's name and a hash of its weights,
    and loading asks the library again.

    Args:
        name: of the model, with the library's prefix.
        network: in evaluation mode.
        preprocessing: as the model wants its pictures.
        embed_pictures: normalised pictures to vectors `[n, dim]`, of any length.
        embed_texts: texts to vectors in the same space; None for a model of pictures only.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        preprocessing: Preprocessing,
        embed_pictures: Callable[[Tensor], Tensor],
        embed_texts: Callable[[list[str]], Tensor] | None = None,
    ) -> None:
        with torch.inference_mode():
            blank = torch.zeros(1, preprocessing.channels, preprocessing.height, preprocessing.width)
            dim = embed_pictures(blank).shape[1]
        safe = "".join(one if one.isalnum() or one in "._-" else "-" for one in name)
        config = ImageTowerConfig(safe[-60:], dim, height=preprocessing.height, width=preprocessing.width)
        super().__init__(_Pictures(network, embed_pictures, config), preprocessing)
        self.name = name
        self._embed_texts = embed_texts
        self.card = f"# {name}\n\nA model of another library, not trained further.\n"
        self.eval()

    @property
    def has_text(self) -> bool:
        """Whether texts can be embedded."""
        return self._embed_texts is not None

    def embed_texts(
        self, texts: str | Sequence[str], *, batch_size: int = 64, progress: bool | Progress = False
    ) -> Float[np.ndarray, "n dim"]:
        """Unit vectors of texts, in the space of the pictures; arguments and errors as in `Encoder.embed_texts`."""
        if self._embed_texts is None:
            raise InvalidInput(f"model '{self.name}' embeds pictures only: take one with a text tower for texts")
        several = [texts] if isinstance(texts, str) else list(texts)
        for position, text in enumerate(several):
            if not isinstance(text, str) or not text.strip():
                raise InvalidInput(f"text {position} is {text!r}: expected words")
        batch_size = check_count(batch_size, "batch_size")
        vectors = np.empty((len(several), self.dim), dtype=np.float32)
        for start in range(0, len(several), batch_size):
            batch = several[start : start + batch_size]
            with self._inference():
                vectors[start : start + len(batch)] = F.normalize(self._embed_texts(batch).float(), dim=1).cpu().numpy()
            if callable(progress):
                progress(start + len(batch), len(several))
        return vectors

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model's name, what identifies its weights, and calibration and card; not the weights."""
        config = {
            "nearkin": nearkin.__version__,
            "fingerprint": self.fingerprint,
            "image": {"projection": False},
            "text": None,
            "preprocessing": self.preprocessing.to_dict(),
            "foreign": self.name,
        }
        return Artefact(config, {}, None, self.card, self.calibration, self.training_hashes).write(Path(folder))
