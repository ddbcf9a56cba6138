"""`nearkin starts`: pretrained models by name."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearkin.cli.options import Json, Quiet

if TYPE_CHECKING:
    from nearkin.encoders.starts import Start

SECTION, ORDER = "Train and evaluate", 5


def starts(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show this one in full.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List pretrained models by name: what each is good for, its licence and size, and how to install it.

    A start is taken wherever a model is: `nearkin index lite0 photos/ galleries/photos`.
    """
    from nearkin.cli.output import next_step, print_json, print_table
    from nearkin.encoders.starts import STARTS

    if name is not None:
        start = STARTS[name]
        if as_json:
            print_json(facts(start))
            return
        for key, value in facts(start).items():
            print(f"{key:<11}{_shown(key, value)}")
        next_step(_use(start) if start.is_installed else start.install)
        return
    if as_json:
        print_json([facts(one) for one in STARTS.values()])
        return
    header = ("name", "embeds", "good for", "licence", "size", "installed")
    rows = [
        (
            one.name,
            one.embeds,
            one.summary,
            one.licence,
            _megabytes(one.size),
            "yes" if one.is_installed else one.install,
        )
        for one in STARTS.values()
    ]
    print_table("Starts: pretrained models, taken wherever a model is", header, rows, names=header)
    next_step(f"nearkin starts NAME shows one in full; {_use(STARTS['lite0'])}")


def facts(start: "Start") -> dict[str, Any]:
    """What a start says of itself, as JSON."""
    return {
        "name": start.name,
        "good for": start.summary,
        "embeds": start.embeds,
        "licence": start.licence,
        "source": start.source,
        "network": start.backbone,
        "packages": list(start.packages),
        "bytes": start.size,
        "installed": start.is_installed,
        "install": start.install,
        "sha256": {file.path: file.sha256 for file in start.files},
    }


def _use(start: "Start") -> str:
    if start.embeds == "texts":
        return f"nearkin embed {start.name} --text 'a red cup'"
    return f"nearkin index {start.name} PICTURES galleries/mine makes pictures searchable"


def _shown(key: str, value: Any) -> str:
    if key == "bytes":
        return f"{value:,} ({_megabytes(value)})"
    if isinstance(value, dict):
        return ", ".join(f"{one} ({path})" for path, one in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return {True: "yes", False: "no", None: "none that is trained further"}.get(value, str(value))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
