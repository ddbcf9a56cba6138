"""`nearkin train`: from a source to a model."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nearkin.training.callbacks import EpochSummary

SECTION, ORDER = "Train and evaluate", 10


def train(
    data: Annotated[str, typer.Argument(help="Folder tree, table (CSV, TSV, Parquet) or hf:// dataset.")],
    out: Annotated[Path, typer.Option(help="Run folder to make.")] = Path("runs/train"),
    backbone: Annotated[str | None, typer.Option(help="conv4, resnet12, or any network of timm [resnet18].")] = None,
    backbone_option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the backbone, such as width=32.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="'pretrained', or a file of weights [random].")] = None,
    loss: Annotated[str | None, typer.Option(help="On labels: triplet, contrastive, softmax, ... [triplet].")] = None,
    loss_option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the loss, such as margin=0.2.")] = None,
    loss_learning_rate: Annotated[
        float | None, typer.Option(help="Peak, of the loss's own weights [by the loss].")
    ] = None,
    memory: Annotated[int | None, typer.Option(help="Earlier embeddings to compare with, such as 8192 [none].")] = None,
    captions: Annotated[bool | None, typer.Option(help="Train a text tower on the captions.")] = None,
    caption_loss: Annotated[str | None, typer.Option(help="info_nce, siglip or vse [info_nce].")] = None,
    caption_loss_option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of it, such as margin=0.2.")] = None,
    dim: Annotated[int | None, typer.Option(help="Numbers of an embedding [128].")] = None,
    batch_norm: Annotated[str | None, typer.Option(help="trained, or frozen [frozen if it has weights].")] = None,
    pooling: Annotated[str | None, typer.Option(help="avg, max, gem or flatten [by the backbone].")] = None,
    size: Annotated[int | None, typer.Option(help="Side of a picture in pixels [by the data].")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training pictures [20].")] = None,
    minutes: Annotated[float | None, typer.Option(help="Train this long instead.")] = None,
    validate_every: Annotated[int | None, typer.Option(help="Epochs from one validation to the next [1].")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures in a batch [128].")] = None,
    chunk_size: Annotated[
        int | None, typer.Option(help="Pictures whose activations are held at once, for large batches.")
    ] = None,
    per_class: Annotated[int | None, typer.Option(help="Pictures of each class in a batch [4].")] = None,
    sampler: Annotated[str | None, typer.Option(help="random, or hard: classes that are alike meet [random].")] = None,
    batch_by: Annotated[
        str | None, typer.Option(help="Column of which a batch holds one value, such as group.")
    ] = None,
    rotate_classes: Annotated[
        bool | None, typer.Option("--rotate-classes", help="Classes turned by quarters are classes.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate [0.001].")] = None,
    augmentation: Annotated[str | None, typer.Option(help="none, drawing, strokes, icon or photo [photo].")] = None,
    augmentation_option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of it, such as rotation=20.")
    ] = None,
    ema: Annotated[float | None, typer.Option(help="Decay of an average of the weights, such as 0.999 [none].")] = None,
    label: Annotated[str | None, typer.Option(help="Label column; 'path': the whole folder of a tree.")] = None,
    caption_column: Annotated[list[str] | None, typer.Option(help="Caption column; several allowed.")] = None,
    split_by: Annotated[str | None, typer.Option(help="Column whose values stay on one side of the split.")] = None,
    val_fraction: Annotated[float | None, typer.Option(help="Share of the classes held out [0.2].")] = None,
    settings: Annotated[Path | None, typer.Option(help="YAML file of any settings; options here win.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, splits, batches and views [0].")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16 [auto].")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads [all].")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda [auto].")] = None,
    strict: Annotated[bool | None, typer.Option("--strict", help="Refuse broken pictures.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the final figures as JSON.")] = False,
) -> None:
    """Train an encoder; the run folder gets the model, the figures and the curves."""
    # Everything of this command but these is a setting of the same name.
    given = {name: value for name, value in locals().items() if name not in _NOT_SETTINGS and value is not None}
    from nearkin.cli.output import print_report, status
    from nearkin.evaluation.report import Report
    from nearkin.progress import progress_bar
    from nearkin.training.settings import read_settings
    from nearkin.training.train import train as run

    given |= _options(
        loss=loss_option,
        caption_loss=caption_loss_option,
        backbone=backbone_option,
        augmentation=augmentation_option,
    )
    if caption_column:
        given["caption_columns"] = tuple(caption_column)
    if settings is not None:
        given = {**read_settings(settings), **given}
    with progress_bar("decoding pictures") as advance:
        run(
            data,
            out=out,
            progress_bar=sys.stderr.isatty(),
            resume=resume,
            on_epoch=lambda summary: status(epoch_line(summary)),
            progress=advance,
            **given,
        )
    print_report(Report.read(out / "report.json"), as_json=as_json)
    status(f"model: {out / 'model'}   curves: {out / 'curves.png'}   held-out pictures: {out / 'validation.csv'}")


_NOT_SETTINGS = (
    "data",
    "out",
    "loss_option",
    "caption_loss_option",
    "backbone_option",
    "augmentation_option",
    "caption_column",
    "settings",
    "resume",
    "as_json",
)


def epoch_line(summary: "EpochSummary") -> str:
    """One line for one epoch."""
    shown = [
        name for name in ("recall@1", "text_to_image/recall@5", "image_to_text/recall@5") if name in summary.figures
    ]
    figures = "  ".join(f"{name} {100 * summary.figures[name]:5.1f} %" for name in shown)
    best = "  best" if summary.best else ""
    return f"epoch {summary.epoch:3d}  {summary.seconds:6.0f} s  loss {summary.loss:.4f}  {figures}{best}"


def _options(**given: list[str] | None) -> dict[str, dict[str, Any]]:
    """Settings such as `loss_options` from what was given as `--loss-option NAME=VALUE`."""
    import yaml

    from nearkin.errors import InvalidInput

    settings: dict[str, dict[str, Any]] = {}
    for part, options in given.items():
        for option in options or ():
            name, equals, value = option.partition("=")
            if not equals:
                raise InvalidInput(
                    f"--{part.replace('_', '-')}-option '{option}': wanted NAME=VALUE, such as margin=0.2"
                )
            settings.setdefault(f"{part}_options", {})[name] = yaml.safe_load(value)
    return settings
