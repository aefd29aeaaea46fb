"""What the gateway says while it runs: lines for people, or JSON, an event a line."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_COLOUR = re.compile("\x1b\\[[0-9;]*m")


class Log:
    """Writes to standard error, which is never mixed up with a command's result."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json

    def __call__(self, message: str, level: str = "INFO") -> None:
        """Writes one event."""
        if self._as_json:
            event = {
                "message": message,
                "level": level,
                "timestamp": datetime.now(timezone.utc).isoformat(),
                "component": "gateway",
            }
            message = json.dumps(event, ensure_ascii=False)
        else:
            message = f"gateway: {message}"
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


class PrintedLines(io.TextIOBase):
    """Standard output where every line is to be JSON: makes events of what LiteLLM just prints."""

    def __init__(self, target: TextIO, log: Log) -> None:
        self._target = target
        self._log = log
        self._begun = ""

    def write(self, text: str) -> int:
        """Hands on lines of JSON, which come from a logger, and logs the others."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            plain = _COLOUR.sub("", line).strip()
            if plain.startswith("{"):
                self._target.write(f"{plain}\n")
            elif plain:
                self._log(plain)
        return len(text)

    def flush(self) -> None:
        """Writes out what was handed on."""
        self._target.flush()

    def fileno(self) -> int:
        """Returns the real output, which Prisma's client hands to the engine that it starts."""
        return self._target.fileno()
