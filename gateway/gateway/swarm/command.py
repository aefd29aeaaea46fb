"""`gateway swarm …`: the converter for ./run swarm, through standard input and output."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.swarm.stack import Stack

app = typer.Typer(
    name="swarm",
    help="From compose's configuration to Docker Swarm's.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def render(
    only: Annotated[
        list[str] | None, typer.Option(help="A service; may be repeated. All by default.")
    ] = None,
) -> None:
    """Print the stack file; list the swarm secrets that it needs on standard error."""
    import yaml  # noqa: PLC0415 -- other commands do without it

    stack = _stack()
    file = dict(stack.file)
    if only:
        file["services"] = {name: file["services"][name] for name in only}
    typer.echo(yaml.safe_dump(file, sort_keys=False, width=120), nl=False)
    for note in stack.notes:
        typer.echo(note, err=True)
    names = sorted([*stack.generated, *(each.full_name for each in stack.given)])
    typer.echo(f"the stack needs these swarm secrets: {', '.join(names)}", err=True)


@app.command()
def secrets() -> None:
    """Print name and value of each secret that the user set, each followed by a NUL."""
    for secret in _stack().given:
        sys.stdout.write(f"{secret.full_name}\0{secret.value}\0")


def _stack() -> Stack:
    """Read {"compose": …, "checksums": {path: checksum}} and return the stack.

    Raises:
        ConfigurationError: something would be lost on a swarm.
    """
    from gateway.swarm.stack import convert  # noqa: PLC0415 -- as above

    asked = json.load(sys.stdin)
    return convert(asked["compose"], asked["checksums"])
