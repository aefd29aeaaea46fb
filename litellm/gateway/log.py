"""What the gateway says while it runs: lines for people, or JSON, an event a line."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone


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
