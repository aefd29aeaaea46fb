"""What `gateway migrate` says, and when it has nothing to do."""

from __future__ import annotations

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.database.migrate import migrate, sql_error

RECORDED = """A migration failed to apply. New migrations cannot be applied before ...

Migration name: 20990101000000_broken

Database error code: 42P01

Database error:
ERROR: relation "nowhere" does not exist
Position: 39
"""


def test_failed_migration_is_told_in_the_databases_words() -> None:
    """Of Prisma's long text, the SQL error and its code are shown."""
    assert sql_error(RECORDED) == 'ERROR: relation "nowhere" does not exist (42P01)'


def test_unknown_text_is_kept_whole() -> None:
    """Where the text has another form, nothing of it is lost."""
    assert sql_error("No such\n  table") == "No such table"
    assert sql_error("") == "no error was recorded"


def test_missing_database_is_a_setting_to_make() -> None:
    """Without a database configured it is said which variables would name one."""
    with pytest.raises(ConfigurationError, match="DATABASE_URL: is unset, and so is DB_HOST"):
        migrate(load_settings({}), print)
