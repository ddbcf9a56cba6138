"""One file per command. `nearkin.cli` finds them by their file names, so adding one is adding a file here.

A command's file holds

- a function (or a `typer.Typer` group) of the file's name, whose docstring is its help;
- `SECTION`, the heading it stands under in `nearkin --help`;
- `ORDER`, a number: the help lists commands by it;
- optionally `KEPT`, what is kept when Ctrl-C ends the command: "the same command goes on".

At the top a file imports only what its options need, so that help is fast; the work is imported inside the function.
"""
