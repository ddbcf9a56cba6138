"""The command line: one file per command. Only this package prints or exits.

Commands import what they need when they run, so that `nearkin --help` is fast.
"""

import sys
from collections.abc import Sequence

import typer

import nearkin
from nearkin.cli.calibrate import calibrate
from nearkin.cli.compare import compare
from nearkin.cli.demo import demo
from nearkin.cli.evaluate import evaluate
from nearkin.cli.gallery import gallery
from nearkin.cli.index import index
from nearkin.cli.reindex import reindex
from nearkin.cli.search import search
from nearkin.cli.train import train
from nearkin.cli.verify import verify
from nearkin.errors import NearkinError

BAD_INPUT = 2

app = typer.Typer(
    name="nearkin",
    help="Image embeddings, from a folder of pictures to answers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, compare, evaluate, calibrate, verify, index, reindex, search, demo):
    app.command()(command)
app.add_typer(gallery)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"nearkin {nearkin.__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake is one line on standard error and exit code 2."""
    try:
        app(args=None if arguments is None else list(arguments))
    except NearkinError as error:
        print(f"nearkin: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except OSError as error:
        # A disk that is full, a folder that may not be written. Without a file's name it is our own mistake.
        if error.filename is None:
            raise
        print(f"nearkin: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(BAD_INPUT)
