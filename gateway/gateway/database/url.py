"""The database's URL: composed from its parts, percent-encoded, and never shown with its password.

LiteLLM joins the parts without encoding them, so a password with / or @ breaks its URL
(https://github.com/BerriAI/litellm/issues/12406).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from gateway.config.settings import Settings

SCHEMES = ("postgresql", "postgres")

# Prisma's own query parameters. libpq, and so psycopg, refuses parameters that it does not know.
# https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments
PRISMA_PARAMETERS = frozenset(
    {
        "schema",
        "connection_limit",
        "pool_timeout",
        "socket_timeout",
        "pgbouncer",
        "statement_cache_size",
        "sslidentity",
        "sslpassword",
        "sslaccept",
        "sslservername",
        "max_connection_lifetime",
        "max_idle_connection_lifetime",
        "single_use_connections",
    }
)


def database_url(settings: Settings) -> str | None:
    """Return the URL that the user set, or one composed from DB_*; None if there is no database.

    Raises:
        ConfigurationError: the URL is not a PostgreSQL URL, or the password is missing.
    """
    if settings.database_url is not None:
        return _checked(settings.database_url.get_secret_value())
    if settings.db_host is None:
        return None
    if settings.gateway_db_password is None:
        raise ConfigurationError(
            [
                Problem(
                    "GATEWAY_DB_PASSWORD",
                    "is unset, although DB_HOST is set",
                    "set GATEWAY_DB_PASSWORD or GATEWAY_DB_PASSWORD_FILE",
                )
            ]
        )
    user = quote(settings.db_user, safe="")
    password = quote(settings.gateway_db_password.get_secret_value(), safe="")
    name = quote(settings.db_name, safe="")
    host = f"[{settings.db_host}]" if ":" in settings.db_host else settings.db_host
    return f"postgresql://{user}:{password}@{host}:{settings.db_port}/{name}"


def database_problems(settings: Settings) -> list[Problem]:
    """Return what is wrong with the database's settings; [] if nothing is."""
    try:
        database_url(settings)
    except ConfigurationError as error:
        return list(error.problems)
    return []


def for_prisma(url: str, *, pool_size: int) -> str:
    """Return the URL with Prisma's pool limits, unless the user set them."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.setdefault("connection_limit", str(pool_size))
    query.setdefault("pool_timeout", "20")
    return urlunsplit(parts._replace(query=urlencode(query)))


def for_psycopg(url: str) -> str:
    """Return the URL without Prisma's parameters; `schema` becomes the search path."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(key, value) for key, value in query if key not in PRISMA_PARAMETERS]
    schema = dict(query).get("schema")
    if schema and schema != "public":
        kept.append(("options", f'-c search_path="{schema}"'))
    return urlunsplit(parts._replace(query=urlencode(kept, quote_via=quote)))


def schema_of(url: str) -> str | None:
    """Return the schema that Prisma's `schema` parameter names; None for the usual one, public."""
    named = dict(parse_qsl(urlsplit(url).query)).get("schema")
    return None if named in (None, "", "public") else named


def redacted(url: str) -> str:
    """Return the database's host:port/name, for messages."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}/{parts.path.lstrip('/')}"


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_is_a_number = parts.port is None or parts.port > 0
    except ValueError:
        port_is_a_number = False
    if not port_is_a_number or parts.scheme not in SCHEMES or not parts.path.strip("/"):
        raise ConfigurationError(
            [
                Problem(
                    "DATABASE_URL",
                    "is not a PostgreSQL URL",
                    "set postgresql://USER:PASSWORD@HOST:5432/NAME; percent-encode every "
                    "character of the password that is not a letter or digit",
                )
            ]
        )
    return url
