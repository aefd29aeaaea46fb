"""The process environment, read in one way: VAR or VAR_FILE, an empty string is unset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


class Environment:
    """Looks variables up, each of which may be given in a file.

    A file's single trailing newline is dropped, nothing else: a password may end in a space.
    An empty file is unset too, because Compose mounts /dev/null for a secret nobody gave.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def get(self, name: str) -> str | None:
        """Return the value of `name`, or of the file that `name`_FILE names; None if unset.

        Raises:
            ConfigurationError: the file cannot be read, or both are set and differ.
        """
        direct = self._variables.get(name) or None
        from_file = self._read_file(f"{name}_FILE")
        if direct is not None and from_file is not None and direct != from_file:
            raise ConfigurationError(
                [
                    Problem(
                        f"{name}, {name}_FILE",
                        "both are set, and they differ",
                        "unset one of them",
                    )
                ]
            )
        return direct if direct is not None else from_file

    def source(self, name: str) -> str | None:
        """Return which variable gives `name` its value: `name`, `name`_FILE or None."""
        if self.get(name) is None:
            return None
        return name if self._variables.get(name) else f"{name}_FILE"

    def _read_file(self, variable: str) -> str | None:
        path = self._variables.get(variable)
        if not path:
            return None
        try:
            content = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise ConfigurationError(
                [
                    Problem(
                        variable,
                        f"cannot read {path}: {reason}",
                        f"name a readable file, or unset {variable}",
                    )
                ]
            ) from error
        return content.removesuffix("\n") or None
