"""The gallery's own copy of the encoder that its vectors come from, with its calibrations."""

from pathlib import Path
from tempfile import TemporaryDirectory

from nearkin.calibration.decisions import Calibration
from nearkin.calibration.words import WordCalibration
from nearkin.encoders.embedder import Embedder
from nearkin.encoders.model_folder import CALIBRATION, WORDS
from nearkin.errors import ArtefactError
from nearkin.gallery.format import encoder_folder
from nearkin.gallery.location import Location


def own_encoder(location: Location, fingerprint: str) -> Embedder:
    """The copy of an encoder.

    Raises:
        ArtefactError: it is missing, damaged, or another encoder's.
    """
    from nearkin.encoders.encoder import Encoder

    folder = encoder_folder(fingerprint)
    try:
        encoder: Embedder = Encoder.from_pretrained(location.folder(folder))
    except ArtefactError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        raise ArtefactError(
            f"gallery '{location}' has lost its copy of the model {fingerprint}: put it back into {folder}, or pass it "
            f"to Gallery.open ({error})"
        ) from error
    if encoder.fingerprint != fingerprint:
        raise ArtefactError(
            f"gallery '{location}': the model in {folder} is {encoder.fingerprint}: put the right one back, or pass it "
            "to Gallery.open"
        )
    return encoder


def take_calibration(location: Location, encoder: Embedder) -> bool:
    """Copy an encoder's calibrations into the gallery, if the gallery's copy has others or none; says whether."""
    parts = {CALIBRATION: getattr(encoder, "calibration", None), WORDS: getattr(encoder, "word_calibration", None)}
    taken = [_take(location, encoder.fingerprint, name, part) for name, part in parts.items() if part is not None]
    return any(taken)


def _take(location: Location, fingerprint: str, file: str, calibration: Calibration | WordCalibration) -> bool:
    name = f"{encoder_folder(fingerprint)}/{file}"
    with TemporaryDirectory() as folder:
        calibration.write(Path(folder, file))
        content = Path(folder, file).read_bytes()
    if location.read(name) == content:
        return False
    try:
        location.write(name, content)
    except OSError as error:
        raise ArtefactError(f"gallery '{location}' cannot be written: {error.strerror or error}") from error
    return True


def put_encoder(location: Location, encoder: Embedder) -> None:
    """Save a copy of the encoder in the gallery."""
    with TemporaryDirectory() as folder:
        encoder.save_pretrained(Path(folder, "encoder"))
        location.put_folder(encoder_folder(encoder.fingerprint), Path(folder, "encoder"))
