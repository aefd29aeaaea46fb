"""What we use of litellm-proxy-extras: its list of indexes that no migration creates, and repairs.

The package imports LiteLLM, which takes seconds, only to choose a log format. If that import is
blocked, the package reads the format from the environment instead.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.database.connection import Connection


def without_own_indexes(script: str) -> str:
    """Return a schema difference without the indexes that LiteLLM builds after its migrations."""
    with _light_import():
        from litellm_proxy_extras.request_log_indexes import (  # noqa: PLC0415 -- under the block
            filter_request_log_index_diff,
        )
    return str(filter_request_log_index_diff(script))


def index_empty_tables(connection: Connection) -> None:
    """Build the indexes that no migration creates, in empty tables, where that takes no time.

    LiteLLM builds them without blocking writers, which takes seconds even in an empty table.
    """
    with _light_import():
        from litellm_proxy_extras.request_log_indexes import (  # noqa: PLC0415 -- under the block
            REQUEST_LOG_INDEXES,
        )
    for index in REQUEST_LOG_INDEXES:
        table, name = sql.Identifier(index.table), sql.Identifier(index.name)
        if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table)).fetchone() is None:
            create = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ").format(name, table)
            connection.execute(create + sql.SQL(index.definition))


def finish_as_litellm_does(url: str) -> None:
    """Repair indexes that an interrupted migration left invalid, and build the missing ones.

    This takes the migration lock itself, so the caller must not hold it.
    """
    with _light_import():
        from litellm_proxy_extras.utils import ProxyExtrasDBManager  # noqa: PLC0415 -- as above

        os.environ["DATABASE_URL"] = socket_in_host(url)
        ProxyExtrasDBManager.repair_invalid_indexes()
        ProxyExtrasDBManager.build_request_log_indexes()


def socket_in_host(url: str) -> str:
    """Return a database's URL with a socket's folder in the place of the host.

    Prisma and we name the folder in the parameter `host`, which LiteLLM's package leaves out. libpq
    reads both forms: https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNSTRING-URIS
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    folder = query.pop("host", "")
    if not folder.startswith("/"):
        return url
    user, at, _ = parts.netloc.rpartition("@")
    netloc = f"{user}{at}{quote(folder, safe='')}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query)))


@contextmanager
def _light_import() -> Iterator[None]:
    before = sys.modules.get("litellm")
    # None makes an import fail at once: https://docs.python.org/3/reference/import.html#the-module-cache
    sys.modules["litellm"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del sys.modules["litellm"]
        else:
            sys.modules["litellm"] = before
