"""The database's URL."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.database.url import database_url, for_prisma, for_psycopg, redacted

AWKWARD = "p@ss w:rd/%é'\"$`"


def test_any_password_survives() -> None:
    """A password with every awkward character comes back as it was."""
    url = database_url(load_settings({"DB_HOST": "postgres", "GATEWAY_DB_PASSWORD": AWKWARD}))
    assert url is not None
    parts = urlsplit(url)
    assert unquote(parts.password or "") == AWKWARD
    assert (parts.username, parts.hostname, parts.port) == ("gateway", "postgres", 5432)
    assert parts.path == "/litellm"


def test_own_database_url_wins() -> None:
    """DATABASE_URL replaces the parts."""
    url = "postgresql://me:secret@db.example:6543/mine"
    assert database_url(load_settings({"DATABASE_URL": url, "DB_HOST": "postgres"})) == url


def test_no_database_is_fine() -> None:
    """Without any of it there is no database, and that is not an error."""
    assert database_url(load_settings({})) is None


@pytest.mark.parametrize(
    "url",
    ["mysql://u:p@h/d", "postgresql://u:p/ss@h:5432/d", "postgresql://h:5432", "litellm.db"],
)
def test_broken_url_is_refused_without_showing_it(url: str) -> None:
    """What is not a PostgreSQL URL is refused, and the password in it is not printed."""
    with pytest.raises(ConfigurationError) as raised:
        database_url(load_settings({"DATABASE_URL": url}))
    assert "DATABASE_URL: is not a PostgreSQL URL" in str(raised.value)
    assert url not in str(raised.value)


def test_missing_password_is_named() -> None:
    """A host without a password says which variable to set."""
    with pytest.raises(ConfigurationError, match="GATEWAY_DB_PASSWORD"):
        database_url(load_settings({"DB_HOST": "postgres"}))


def test_pool_limits_are_added_for_prisma_unless_given() -> None:
    """Prisma's pool is bounded; what the user wrote stays."""
    query = parse_qs(urlsplit(for_prisma("postgresql://u@h/d", pool_size=7)).query)
    assert query["connection_limit"] == ["7"]
    kept = parse_qs(
        urlsplit(for_prisma("postgresql://u@h/d?connection_limit=3", pool_size=7)).query
    )
    assert kept["connection_limit"] == ["3"]


def test_psycopg_gets_no_parameter_of_prisma() -> None:
    """Libpq refuses unknown parameters; Prisma's schema becomes the search path."""
    url = for_psycopg("postgresql://u@h/d?schema=app&connection_limit=3&sslmode=require")
    query = parse_qs(urlsplit(url).query)
    assert query == {"sslmode": ["require"], "options": ['-c search_path="app"']}


def test_messages_name_the_place_only() -> None:
    """What is shown of a URL is host, port and name."""
    assert redacted("postgresql://user:secret@db.example/mine?x=1") == "db.example:5432/mine"
