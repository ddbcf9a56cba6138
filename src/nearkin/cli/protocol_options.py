"""Options of `nearkin evaluate` that protocols declare; they are read when it runs or shows its help, not before."""

import inspect
from collections.abc import Sequence
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from nearkin.cli.app import PlainCommand

# Of the command that runs: option -> value.
GIVEN: ContextVar[dict[str, Any]] = ContextVar("protocol_options")


class ProtocolCommand(PlainCommand):
    """A command that takes the options of all protocols; its function finds their values in `GIVEN`."""

    def get_params(self, ctx: Any) -> list[Any]:
        *own, help_option = super().get_params(ctx)
        return [*own, *_parameters(), help_option]

    def invoke(self, ctx: Any) -> Any:
        values = {one.name: ctx.params.pop(one.name) for one in _parameters() if one.name in ctx.params}
        GIVEN.set({name: tuple(one) if isinstance(one, list) else one for name, one in values.items()})
        return super().invoke(ctx)


@cache
def _parameters() -> list[Any]:
    """One parameter for each option of each protocol, in a section for each protocol."""
    from nearkin.evaluation.protocol import options_of
    from nearkin.evaluation.protocols import protocols_in_order

    def command() -> None: ...

    parameters = []
    for name, protocol in protocols_in_order().items():
        types = get_type_hints(protocol.options)
        for one in options_of(protocol):
            kind = _type(types[one.name])
            default = list(one.default) if isinstance(one.default, tuple) else one.default
            information = typer.Option(help=one.metadata["help"], rich_help_panel=name.replace("_", "-").capitalize())
            annotation = Annotated[kind | None if default is None else kind, information]
            parameters.append(
                inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command()(command)
    return list(typer.main.get_command(alone).params)


def _type(annotation: Any) -> Any:
    """What the command line reads: a path where a file may be given; a list where several values may be."""
    choices = [one for one in get_args(annotation) or (annotation,) if one is not NoneType]
    if get_origin(annotation) is Sequence:
        return list[get_args(annotation)[0]]  # type: ignore[misc]
    return Path if Path in choices else choices[0]
