"""The Typer application that every command is added to."""

import typer

app = typer.Typer(
    name="aeos",
    help="A laboratory for the dynamics of adaptive optimizers at the edge of stability.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
