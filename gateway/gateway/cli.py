"""The command line: one function a command.

Each command imports what it needs by itself, so that the light ones stay light.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway import commands
from gateway.backup.commands import app as backup_app
from gateway.journal.commands import app as journal_app
from gateway.keys.commands import app as key_app
from gateway.swarm.command import app as swarm_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from gateway.models.rows import ListedDeployment

app = typer.Typer(
    name="gateway",
    help="LiteLLM's proxy with checked settings, safe migrations and a truthful health check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(key_app)
app.add_typer(backup_app)
app.add_typer(journal_app)
app.add_typer(swarm_app)


@app.command()
def secrets() -> None:
    """Make every key and password exist, each in the volume of its readers."""
    commands.secrets()


@app.command()
def migrate(
    *,
    retry: Annotated[bool, typer.Option(help="Try failed migrations again.")] = False,
) -> None:
    """Bring the database to LiteLLM's schema; does nothing when it is there."""
    commands.migrate(retry=retry)


@app.command()
def serve() -> None:
    """Serve the OpenAI-compatible API on HOST:PORT."""
    commands.serve()


@app.command()
def litellm(
    *,
    until_eof: Annotated[bool, typer.Option(help="End when standard input ends.")] = False,
) -> None:
    """Run LiteLLM's own proxy for the gateway, on HOST:PORT."""
    commands.litellm(until_eof=until_eof)


@app.command()
def litellm_health() -> None:
    """Say what LiteLLM's proxy in this container does; exit code 0 or 1."""
    from gateway import health_command

    raise typer.Exit(health_command.litellm())


@app.command(context_settings={"allow_interspersed_args": False})
def native(
    command: Annotated[
        list[str] | None, typer.Argument(help="A command to run instead of serve.")
    ] = None,
    *,
    host: Annotated[str | None, typer.Option(help="Where to listen; loopback if unset.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: LITELLM_PORT.")
    ] = None,
    with_costs: Annotated[
        bool, typer.Option(help="Keep keys and costs in an embedded PostgreSQL.")
    ] = False,
    pull: Annotated[bool, typer.Option(help="Download a missing model without asking.")] = False,
) -> None:
    """Start without a container; start_litellm.sh calls it."""
    from gateway.native.command import NativeStart

    start = NativeStart(host, port, with_costs, pull, tuple(command or ()))
    raise typer.Exit(start.run())


@app.command()
def check() -> None:
    """Check settings and litellm_config.yaml without starting anything."""
    from gateway.config.checked import checked_config
    from gateway.config.report import summary

    settings, effective = checked_config(os.environ)
    typer.echo(summary(settings, effective))


@app.command()
def health() -> None:
    """Ask the gateway in this container whether it is healthy; exit code 0 or 1."""
    from gateway import health_command

    raise typer.Exit(health_command.main())


@app.command()
def doctor(
    *,
    json: Annotated[bool, typer.Option("--json", help="Findings as a JSON object.")] = False,
    repairs: Annotated[
        bool, typer.Option("--repairs", help="The report on stderr, repairs as lines on stdout.")
    ] = False,
) -> None:
    """Judge the facts that ./run doctor hands over; exit code 1 when something is wrong."""
    from gateway.doctor.command import main

    options = ["--json"] * json + ["--repairs"] * repairs
    raise typer.Exit(main(options))


@app.command()
def spend(  # noqa: PLR0913 -- one for each option
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(help="day, alias, model, key, or several, separated by commas."),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="The number of days, including today; 30 by default."),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="The first day, such as 2026-11-01.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last day, inclusive.")] = None,
    month: Annotated[str | None, typer.Option(help="A month, such as 2026-11.")] = None,
    form: Annotated[
        Literal["table", "json", "csv", "svg"], typer.Option("--format", help="svg is a chart.")
    ] = "table",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show what the requests cost in a period, summed by day, alias, model or key."""
    from gateway.config.settings import load_settings
    from gateway.spend import chart as spend_chart
    from gateway.spend import report as spend_report
    from gateway.spend.period import period

    chosen = spend_report.parse_by(by or ["day", "alias", "key"])
    today = spend_report.today().date()
    asked = period(today, days=days, first=first, last=last, month=month)
    report = spend_report.load(load_settings(), asked, chosen)
    if json or form == "json":
        typer.echo(spend_report.as_json(report))
    elif form == "csv":
        typer.echo(spend_report.as_csv(report))
    elif form == "svg":
        typer.echo(spend_chart.svg(report))
    else:
        spend_report.print_table(report)


@app.command()
def overview(
    *, json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False
) -> None:
    """Show today's requests and errors, the database, blocked keys and versions."""
    from gateway.config.settings import load_settings
    from gateway.database.connection import connect
    from gateway.database.url import database_url
    from gateway.overview import overview as read_overview

    settings = load_settings()
    url = database_url(settings)
    if url is None:
        typer.echo("null" if json else "database  none, so no keys, budgets or spend")
        return
    with connect(url, read_only=True) as connection:
        seen = read_overview(connection, settings.journal_root)
    typer.echo(seen.as_json() if json else "\n".join(seen.lines()))


@app.command()
def models(
    *,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Make one paid call of one token to each, after showing the cost."
        ),
    ] = False,
    notes: Annotated[
        bool,
        typer.Option(
            "--notes", help="Only deployments in cooldown, and the results of evaluations."
        ),
    ] = False,
) -> None:
    """Show every deployment: price, context, key, whether it can be reached and is in use."""
    from gateway.config.checked import checked_config
    from gateway.gateway_client import client
    from gateway.models import report
    from gateway.models.rows import load_rows

    settings, effective = checked_config(os.environ)
    with client(settings, timeout=settings.request_timeout or 120) as gateway:
        rows = load_rows(settings, effective, gateway, check=not notes)
        if notes:
            typer.echo("".join(f"{line}\n" for line in report.notes(rows)), nl=False)
            return
        if json:
            typer.echo(report.as_json(rows))
        else:
            report.print_rows(rows)
        if probe and not _send_canaries(rows, gateway):
            raise typer.Exit(1)


@app.command()
def ask(
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="The question; - reads it from stdin.")
    ] = None,
    *,
    model: Annotated[
        str, typer.Option(metavar="ALIAS", help="The alias to ask.")
    ] = "explanation-model",
) -> None:
    """Stream a model's answer, then its tokens, cost, seconds and which model answered."""
    from gateway.ask import Summary, read_question
    from gateway.ask import ask as ask_gateway
    from gateway.config.settings import load_settings

    summary = None
    try:
        for piece in ask_gateway(load_settings(), read_question(question), model):
            if isinstance(piece, Summary):
                summary = piece
            else:
                typer.echo(piece, nl=False)
                sys.stdout.flush()
    finally:
        typer.echo()  # what follows, an error too, has a line of its own
        sys.stdout.flush()
    typer.echo(str(summary), err=True)


def _send_canaries(rows: Sequence[ListedDeployment], gateway: httpx.Client) -> bool:
    """Say what it will cost, make the calls, show each; return whether all answered."""
    from gateway.models.canaries import announcement, send_canaries

    for line in announcement(rows):
        typer.echo(line, err=True)
    all_answered = True
    for result in send_canaries(rows, gateway):
        typer.echo(str(result), err=True)
        all_answered = all_answered and result.ok
    return all_answered
