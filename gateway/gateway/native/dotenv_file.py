"""The .env of the repository's root, read as compose reads it."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from pathlib import Path


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a .env file; none when there is no file.

    Quotes, comments, CRLF, a byte order mark and ${NAME:-default} mean what they mean to compose.

    Raises:
        ConfigurationError: the file cannot be read, or names each line that cannot be parsed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise _problem(path, "is not UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        fix = f"make it readable: chmod u+r {path}"
        raise _problem(path, f"cannot be read: {error.strerror}", fix) from error
    broken = [
        Problem(
            f"{path}:{binding.original.line}",
            "is not NAME=value, or a quote is not closed",
            "correct the line, or put # before it",
        )
        for binding in parse_stream(StringIO(text))
        if binding.error
    ]
    if broken:
        raise ConfigurationError(broken)
    values = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in values.items() if value is not None}


def _problem(path: Path, found: str, fix: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), found, fix)])
