"""Options of commands that train: one for each training setting, with its help, default and group."""

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from nearkin.errors import InvalidInput
from nearkin.training.settings import GROUPS, TrainSettings, group_of, shown_default, shown_with_weights


def takes_settings(*, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of `TrainSettings`; it is called with those that the user gave.

    `batch_size` becomes `--batch-size`, `loss_options` the repeatable `--loss-option NAME=VALUE`, `caption_columns` the
    repeatable `--caption-column`.

    Args:
        without: settings that the command decides itself.

    Example:
        >>> @takes_settings(without=["loss"])
        ... def train(data: str, **settings: Any) -> None: ...
        >>> [name for name in inspect.signature(train).parameters][:4]
        ['data', 'context', 'size', 'augmentation']
    """
    names = sorted((name for name in TrainSettings.model_fields if name not in without), key=_place)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in inspect.signature(command).parameters.values() if one.kind is not one.VAR_KEYWORD]

        @wraps(command)
        def run(context: Any, **values: Any) -> None:
            given = {
                name: _read(name, value)
                for name in names
                if (value := values.pop(name)) not in (None, []) and _is_given(context, name)
            }
            command(**values, **given)

        parameters = [*own, inspect.Parameter("context", own[0].kind, annotation=typer.Context)]
        parameters += [_parameter(name) for name in names]
        keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
        run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
        return run

    return decorate


def option_of(name: str) -> str:
    """The option of a setting.

    Example:
        >>> option_of("batch_size"), option_of("loss_options"), option_of("caption_columns")
        ('--batch-size', '--loss-option', '--caption-column')
    """
    repeatable = _is_repeatable(TrainSettings.model_fields[name])
    return "--" + (name.removesuffix("s") if repeatable else name).replace("_", "-")


def _place(name: str) -> int:
    return GROUPS.index(group_of(name))


def _is_given(context: Any, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _parameter(name: str) -> inspect.Parameter:
    field = TrainSettings.model_fields[name]
    kind = _type(field)
    option = option_of(name)
    if kind is bool and field.default is None:
        option = f"{option}/--no-{option[2:]}"
    repeatable, default = _is_repeatable(field), field.default
    if repeatable:
        default = None
    information = typer.Option(
        option,
        help=f"{field.description} By default {other}." if (other := shown_with_weights(name)) else field.description,
        rich_help_panel=group_of(name),
        show_default=(shown_default(name) or False) if default is None else True,
        metavar=("NAME=VALUE" if get_origin(field.annotation) is dict else "NAME") if repeatable else None,
    )
    annotation = Annotated[kind | None if default is None else kind, information]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _is_repeatable(field: FieldInfo) -> bool:
    return any(get_origin(one) in (dict, tuple) for one in (field.annotation, *get_args(field.annotation)))


def _type(field: FieldInfo) -> Any:
    """What the command line reads: the field's type without None; values are checked by the settings themselves."""
    if _is_repeatable(field):
        return list[str]
    choices = [one for one in get_args(field.annotation) or (field.annotation,) if one is not NoneType]
    literals = [get_args(one) for one in (field.annotation, *choices) if get_origin(one) is Literal]
    return type(literals[0][0]) if literals else choices[0]


def _read(name: str, value: Any) -> Any:
    field = TrainSettings.model_fields[name]
    if not _is_repeatable(field):
        return value
    if get_origin(field.annotation) is not dict:
        return tuple(value)
    import yaml

    options = {}
    for one in value:
        key, equals, text = one.partition("=")
        if not equals or not key:
            raise InvalidInput(f"{option_of(name)} '{one}': expected NAME=VALUE, such as margin=0.2")
        options[key] = yaml.safe_load(text)
    return options
