"""`gateway key …`: one function a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.keys.api import Key, KeyApi

app = typer.Typer(
    name="key",
    help="Print what a client needs to call the API; with a command, manage people's keys.",
    add_completion=False,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


@app.callback(invoke_without_command=True)
def access(
    context: typer.Context,
    *,
    master: Annotated[bool, typer.Option("--master", help="The admin's key.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of shell lines.")] = False,
    base_url: Annotated[
        str | None, typer.Option(help="Where the gateway is reached from outside.")
    ] = None,
) -> None:
    """Print what a person needs to call the API; with a command, manage people's keys."""
    context.obj = base_url
    if context.invoked_subcommand is not None:
        return
    from gateway.config.settings import load_settings
    from gateway.keys.env_lines import access as find_access

    found = find_access(load_settings(), master=master, base_url=base_url)
    typer.echo(found.as_json() if json else found.as_shell())


@app.command()
def create(  # noqa: PLR0913 -- one for each limit
    context: typer.Context,
    name: Name,
    *,
    budget: Annotated[str, typer.Option(help="The USD that it may spend; none for no limit.")],
    duration: Annotated[
        str | None,
        typer.Option(help="How often the budget is reset, such as 30d; never by default."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(help="The aliases that it may use, separated by commas; all by default."),
    ] = None,
    rpm: Annotated[int | None, typer.Option(help="Requests a minute.")] = None,
    tpm: Annotated[int | None, typer.Option(help="Tokens a minute.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="How long it is valid, such as 30d; forever by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a key and show its secret, once."""
    from gateway.keys.key_request import KeyRequest, generate_body

    api = _api()
    request = KeyRequest(name, budget, duration, models, rpm, tpm, expires)
    key, secret = api.create(generate_body(request, api.models()))
    _show(context, key, secret, as_json=json)


@app.command(name="list")
def list_keys(*, json: Json = False) -> None:
    """Show every key: its limits, what it spent, until when it holds. No secrets."""
    from gateway.keys.report import list_as_json, print_list

    keys = _api().all_keys()
    if json:
        typer.echo(list_as_json(keys))
    else:
        print_list(keys)


@app.command()
def block(name: Name, *, json: Json = False) -> None:
    """Refuse the key's requests until it is unblocked."""
    _api().set_blocked(name, blocked=True)
    _report(name, "blocked", as_json=json)


@app.command()
def unblock(name: Name, *, json: Json = False) -> None:
    """Take the key's requests again."""
    _api().set_blocked(name, blocked=False)
    _report(name, "unblocked", as_json=json)


@app.command()
def delete(name: Name, *, json: Json = False) -> None:
    """Remove the key for good; what it spent stays in the reports."""
    _api().delete(name)
    _report(name, "deleted", as_json=json)


@app.command()
def rotate(context: typer.Context, name: Name, *, json: Json = False) -> None:
    """Give the key a new secret, shown once; the old one is refused from now on."""
    key, secret = _api().rotate(name)
    _show(context, key, secret, as_json=json)


def _api() -> KeyApi:
    from gateway.config.settings import load_settings
    from gateway.keys.api import key_api

    return key_api(load_settings())


def _report(name: str, what: str, *, as_json: bool) -> None:
    from json import dumps

    typer.echo(dumps({"name": name, "done": what}) if as_json else f"key {name} is {what}")


def _show(context: typer.Context, key: Key, secret: str, *, as_json: bool) -> None:
    """Print a secret, with the address that `--base-url` gave."""
    from gateway.config.settings import load_settings
    from gateway.keys.env_lines import api_url
    from gateway.keys.report import secret_as_json, secret_as_lines

    url = api_url(load_settings(), context.obj)
    show = secret_as_json if as_json else secret_as_lines
    typer.echo(show(key, secret, url))
