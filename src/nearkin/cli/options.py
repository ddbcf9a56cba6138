"""Options that several commands share: the same name, meaning and help everywhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin import progress
from nearkin.cli import output

if TYPE_CHECKING:
    from nearkin.encoders.encoder import Encoder


def _set_quiet(given: bool) -> bool:
    output.quiet.set(given)
    progress.quiet.set(given)
    return given


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model or run folder, a start such as lite0 (`nearkin starts`), or the name of a model on the Hub.",
    ),
]
Data = Annotated[
    str, typer.Argument(metavar="DATA", help="Folder tree, table (CSV, TSV, Parquet, JSON lines) or hf:// dataset.")
]
GalleryPath = Annotated[str, typer.Argument(metavar="GALLERY", help="Gallery folder, or URL such as s3://bucket/shop.")]
Label = Annotated[str | None, typer.Option(help="Column of the class names. 'path': the whole folder path below DATA.")]
CaptionColumn = Annotated[list[str] | None, typer.Option(help="Column of captions; may be repeated.")]
PathColumn = Annotated[
    str | None, typer.Option(help="Column of the picture paths.", show_default="path, file_name, file or image")
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at a broken picture instead of skipping it.")]
Whiten = Annotated[
    bool,
    typer.Option(
        "--whiten",
        help="Make strong directions of the vectors weaker, as these pictures have them; no labels are used.",
    ),
]
Where = Annotated[str | None, typer.Option(help="SQL filter that selects items, such as \"label = 'mug'\".")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_set_quiet, help="Print only the answer, warnings and errors."),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        help="CPU threads for embedding and search.",
        show_default="all cores",
        rich_help_panel="Machine",
    ),
]
Device = Annotated[
    str, typer.Option(help="auto, cpu or cuda; auto takes the GPU if there is one.", rich_help_panel="Machine")
]

Detect = Annotated[
    str | None,
    typer.Option(
        help="'faces': look for faces in the photos first, and take these for pictures (needs the extra `faces`).",
        metavar="WHAT",
    ),
]


def check_detect(what: str | None) -> bool:
    """Whether faces are to be detected.

    Raises:
        UnknownName: something else is.
        MissingDependency: the detector's package is not installed.
    """
    if what is None:
        return False
    from nearkin.data.detectors import DEFAULT, DETECTORS
    from nearkin.errors import UnknownName

    if what != "faces":
        raise UnknownName("thing to detect,", what, ["faces"])
    DETECTORS[DEFAULT].check()
    return True


def use_threads(threads: int | None) -> None:
    """Limit the CPU threads of everything that is imported from now on, and of torch if it is there already."""
    import os
    import sys

    if threads is None:
        return
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def check_models_and_data(models: Sequence[str], data: str | None) -> None:
    """Check that models and data are there, before torch is loaded; and that they are not exchanged.

    Says so where a path has the name of a start, and is taken in its place.

    `data` is None where nothing but the models is needed.

    Raises:
        ArtefactError: one of `models` is none.
        SourceError: no such file or folder of data.
        InvalidInput: `data` is a model, or a run.
    """
    from nearkin.data.sources import check_source
    from nearkin.encoders.model_folder import check_model, locate
    from nearkin.encoders.starts import STARTS
    from nearkin.errors import ArtefactError, InvalidInput
    from nearkin.training.run_folder import SETTINGS

    def is_model(folder: str) -> bool:
        try:
            return Path(folder).is_dir() and bool(locate(folder))
        except ArtefactError:
            return False

    # A folder of pictures may well have a model in it; a run has its settings beside the model.
    if data is not None and is_model(data) and (locate(data) == Path(data) or (Path(data) / SETTINGS).is_file()):
        no_model = [model for model in models if Path(model).exists() and not is_model(model)]
        if no_model:
            raise InvalidInput(f"'{data}' is a model, and '{no_model[0]}' is none: MODEL comes first, then DATA")
        raise InvalidInput(f"'{data}' is a model, no pictures: DATA comes after MODEL")
    for model in models:
        check_model(model)
        if model in STARTS and Path(model).exists():
            output.status(f"'{model}' is the folder here, not the start of that name")
    if data is not None:
        check_source(data)


def load_encoder(model: str | Path, *, threads: int | None = None, device: str = "auto") -> "Encoder":
    """The encoder of a model, on the device that was asked for.

    Raises:
        ArtefactError: there is no model.
        InvalidInput: no such device here.
    """
    from nearkin.encoders.device import check_device, to_device
    from nearkin.encoders.model_folder import check_model

    use_threads(threads)
    check_device(device)
    check_model(model)  # before torch is loaded
    from nearkin.encoders.encoder import Encoder

    encoder: Encoder = to_device(Encoder.from_pretrained(model), device)
    return encoder
