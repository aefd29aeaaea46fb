"""What `gateway migrate` says, and when it has nothing to do."""

from __future__ import annotations

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.database.migrate import migrate, sql_error
from gateway.database.proxy_extras import socket_in_host

RECORDED = """A migration failed to apply. New migrations cannot be applied before ...

Migration name: 20990101000000_broken

Database error code: 42P01

Database error:
ERROR: relation "nowhere" does not exist
Position: 39
"""


@pytest.mark.parametrize(
    ("url", "for_libpq"),
    [
        (
            "postgresql://postgres@localhost/litellm?host=%2FA%20b%2Fc&schema=x",
            "postgresql://postgres@%2FA%20b%2Fc/litellm?schema=x",
        ),
        ("postgresql://u:p%40@db:5/litellm?schema=x", "postgresql://u:p%40@db:5/litellm?schema=x"),
    ],
)
def test_litellms_package_finds_a_socket(url: str, for_libpq: str) -> None:
    """It leaves the parameter `host` out, and would look for the database at localhost."""
    assert socket_in_host(url) == for_libpq


def test_a_failed_migration_quotes_the_database() -> None:
    """Of Prisma's long text, the SQL error and its code are shown."""
    assert sql_error(RECORDED) == 'ERROR: relation "nowhere" does not exist (42P01)'


def test_unknown_text_is_kept_whole() -> None:
    """Where the text has another form, nothing of it is lost."""
    assert sql_error("No such\n  table") == "No such table"
    assert sql_error("") == "no error was recorded"


def test_missing_database_is_a_setting_to_make() -> None:
    """Without a database configured it is said which variables would name one."""
    with pytest.raises(ConfigurationError, match="DATABASE_URL: is unset, and so is DB_HOST"):
        migrate(load_settings({}))
