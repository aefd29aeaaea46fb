"""`gateway journal …`: what people do with journals by hand."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(
    name="journal",
    help="The journal of costs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def journal() -> None:
    """Bring in what a gateway that will never return has left."""


@app.command("import")
def import_() -> None:
    """Bring journal files into the database, from a tar archive on standard input."""
    from gateway.config.settings import load_settings
    from gateway.database.connection import connect
    from gateway.database.url import database_url
    from gateway.journal.import_files import Importer, JournalImportError, journal_files

    if sys.stdin.isatty():
        raise typer.BadParameter("pipe an archive of journal files in; ./run journal import does")
    settings = load_settings()
    url = database_url(settings)
    if url is None:
        raise JournalImportError("there is no database to import into")
    damaged = count = 0
    with connect(url) as connection:
        importer = Importer(connection, settings.journal_root)
        for name, data in journal_files(sys.stdin.buffer):
            imported = importer.apply(name, data)
            typer.echo("\n".join(imported.lines()))
            damaged += len(imported.damaged)
            count += 1
        importer.finish()
    if not count:
        raise JournalImportError("no journal file arrived")
    if damaged:
        raise JournalImportError(
            f"{damaged} lines are damaged and lost; everything else is in the database"
        )
