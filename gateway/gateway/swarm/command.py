"""`gateway swarm …`: what ./run swarm asks, through standard input and output."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.swarm.snapshot import Snapshot
    from gateway.swarm.stack import Stack

app = typer.Typer(
    name="swarm",
    help="Convert compose's configuration for Docker Swarm, and watch what the swarm does.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def render() -> None:
    """Print the stack file; list the swarm secrets that it needs on standard error."""
    from gateway.swarm.records import asked

    stack = asked(sys.stdin.buffer.read()).stack
    typer.echo(_yaml(stack.file), nl=False)
    _notes(stack)
    names = sorted([*stack.generated, *(each.full_name for each in stack.given)])
    typer.echo(f"the stack needs these swarm secrets: {', '.join(names)}", err=True)


@app.command()
def plan(
    *, dry_run: Annotated[bool, typer.Option(help="Only print what would run where.")] = False
) -> None:
    """Print what to create and deploy, in this order, as records: name, NUL, value, NUL."""
    from gateway.config.problems import ConfigurationError
    from gateway.swarm.places import place_problems, places
    from gateway.swarm.records import asked
    from gateway.swarm.watch import NEEDED_FIRST

    found = asked(sys.stdin.buffer.read())
    services = found.stack.file["services"]
    where = places(services, found.nodes)
    if problems := place_problems(services, where):
        raise ConfigurationError(problems)
    if dry_run:
        _notes(found.stack)
        for name, service in services.items():
            typer.echo(f"  {name:<18} {' '.join(where[name]) or 'no node':<24} {service['image']}")
        return
    for secret in found.stack.given:
        _record(f"secret:{secret.full_name}", secret.value)
    first = {name: each for name, each in services.items() if name in NEEDED_FIRST}
    rest = {name: each for name, each in services.items() if name not in NEEDED_FIRST}
    _record("stack:first", _yaml({**found.stack.file, "services": first}))
    _record("stack:rest", _yaml({**found.stack.file, "services": rest}))
    _record("end", "")


@app.command()
def watch(
    *,
    first: Annotated[bool, typer.Option(help="Wait only for what is deployed first.")] = False,
    rolled_back: Annotated[bool, typer.Option(help="Wait for rollbacks to end.")] = False,
) -> None:
    """Wait for a stack, given a line of JSON for each snapshot of it.

    Prints the services' states at the end; after a failure, the services to roll back.
    """
    from gateway.swarm.judge import changed
    from gateway.swarm.watch import NEEDED_FIRST, Watch

    only = NEEDED_FIRST if first else ()
    outcome = Watch(only, rolled_back, say=lambda line: typer.echo(line, err=True)).follow(
        _snapshots()
    )
    if outcome.problem:
        typer.echo(f"{outcome.problem}:", err=True)
        if outcome.snapshot:
            _table(outcome.snapshot, err=True)
            typer.echo("\n".join(changed(outcome.snapshot, only)))
        raise typer.Exit(1)
    if outcome.snapshot and not (first or rolled_back):
        _table(outcome.snapshot)


@app.command()
def status() -> None:
    """Print each service's tasks, its last update, where it runs and what is wrong.

    Exit code 1 unless every service has all its tasks.
    """
    snapshot = next(_snapshots())
    if not _table(snapshot):
        raise typer.Exit(1)


def _table(snapshot: Snapshot, *, err: bool = False) -> bool:
    """Print a line for each service; return whether all of them are as they should be."""
    from gateway.swarm.judge import judge

    row = "{:<18} {:<6} {:<16} {}".format
    typer.echo(row("SERVICE", "TASKS", "UPDATE", "DETAIL"), err=err)
    verdicts = judge(snapshot)
    for each in verdicts:
        typer.echo(row(each.name, each.tasks, each.update, each.detail).rstrip(), err=err)
    return all(each.condition in ("ready", "loading") for each in verdicts)


def _snapshots() -> Iterator[Snapshot]:
    from gateway.swarm.snapshot import read_snapshot

    for line in sys.stdin:
        yield read_snapshot(json.loads(line))


def _notes(stack: Stack) -> None:
    for note in stack.notes:
        typer.echo(note, err=True)


def _yaml(file: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(dict(file), sort_keys=False, width=120)
    return text


def _record(name: str, value: str) -> None:
    sys.stdout.write(f"{name}\0{value}\0")
