"""The program `nearkin`: finds its commands, and prints help as plain text."""

import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

import nearkin
from nearkin.cli.terminal import discard
from nearkin.registry import module_names

PACKAGE = "nearkin.cli.commands"

CONTEXT = {"help_option_names": ["-h", "--help"]}

# Exit codes that a shell expects where Ctrl-C, or a closed pipe, ended a program.
INTERRUPTED, PIPE_CLOSED = 130, 141

# Characters of a command's first sentence in the list of commands: all of it.
WHOLE = 500


class PlainCommand(TyperCommand):
    """A command whose help lists its options by section, as plain text: brackets are printed as they are."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [_usage_piece(piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self, ctx, formatter)


class PlainGroup(TyperGroup):
    """A group of commands with the same plain help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self, ctx, formatter)
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            sections.setdefault(self.section_of(name), []).append((name, command.get_short_help_str(WHOLE)))
        _write_sections(sections, formatter)

    def section_of(self, name: str) -> str:
        """The heading that a command stands under in the help."""
        return "Commands"


class CommandFiles(PlainGroup):
    """The commands in `nearkin.cli.commands`. A file is imported when its command is named, or for the list of all."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(command_names(), key=lambda name: command_module(name).ORDER)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in command_names():
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _built(cmd_name)
        return self.commands[cmd_name]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            kept = getattr(command_module(ctx.invoked_subcommand), "KEPT", "nothing is left half done")
            print(f"\nnearkin: stopped; {kept}", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of the output, such as `head`, has seen enough.
            discard(sys.stdout)
            raise typer.Exit(PIPE_CLOSED) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None:
            # Typer suggests near names among the commands that it holds.
            for name in command_names():
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def section_of(self, name: str) -> str:
        return str(command_module(name).SECTION)


def command_names() -> tuple[str, ...]:
    """The commands of `nearkin`: the names of the files in `nearkin.cli.commands`."""
    return module_names(PACKAGE)


def command_module(name: str) -> ModuleType:
    """The file of a command."""
    return import_module(f"{PACKAGE}.{name.replace('-', '_')}")


def _built(name: str) -> Any:
    module = command_module(name)
    made = getattr(module, name.replace("-", "_"))
    if isinstance(made, typer.Typer):
        made.rich_markup_mode, made.info.cls, made.info.context_settings = None, PlainGroup, CONTEXT
        for command in made.registered_commands:
            command.cls, command.context_settings = PlainCommand, CONTEXT
        return typer.main.get_group(made)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=getattr(module, "CLASS", PlainCommand), context_settings=CONTEXT)(made)
    return typer.main.get_command(alone)


# What the types of values are called in help: <list[str]> and <int range> say no more than <str> and <int>.
_TYPE = re.compile(r"<list\[(\w+)\]>|<(\w+) range>")


def _usage_piece(piece: str) -> str:
    """An argument in the line of usage, without braces.

    Example:
        >>> [_usage_piece(piece) for piece in ("[OPTIONS]", "{GALLERY}", "{QUERY}...", "{MODEL... DATA}...")]
        ['[OPTIONS]', 'GALLERY', 'QUERY...', 'MODEL... DATA']
    """
    name, several = re.fullmatch(r"\{?(.*?)\}?(\.\.\.)?", piece, re.DOTALL).groups()  # type: ignore[union-attr]
    return name if several is None or "..." in name else name + several


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    """Arguments, then options by section; those without a section of their own come first."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            default = "Arguments" if parameter.param_type_name == "argument" else "Options"
            section = getattr(parameter, "rich_help_panel", None) or default
            name, text = record
            sections.setdefault(section, []).append((_TYPE.sub(r"<\1\2>", name), text))
    _write_sections(sections, formatter)


def _write_sections(sections: dict[str, list[tuple[str, str]]], formatter: Any) -> None:
    for name, records in sections.items():
        if records:
            with formatter.section(name):
                formatter.write_dl(records)


def _print_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"nearkin {nearkin.__version__}")
        raise typer.Exit
    return asked


app = typer.Typer(
    name="nearkin",
    cls=CommandFiles,
    help="Image embeddings: train, evaluate, search by picture or words, verify.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    # Plain text: as markup, a default in brackets such as [resnet18] would be swallowed.
    rich_markup_mode=None,
    context_settings=CONTEXT,
)


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    pass
