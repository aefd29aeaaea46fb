"""Log lines: ours and Ollama's, as text or as one JSON object each."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import IO, override

# Our own looking, every few seconds, would drown what Ollama has to say.
_OWN_REQUEST = re.compile(
    r'^\[GIN\].*\| +200 \|.*\| +127\.0\.0\.1 \|.*"/api/(version|ps|tags|show|blobs/\S*)"$'
)
# llama.cpp prints a model's whole metadata, twice, at every load: only with OLLAMA_DEBUG.
_METADATA = re.compile(r"^(llama_model_loader: - |print_info: |load: )")
_LEVEL = re.compile(r"\blevel=(\w+)")

ollama_log = logging.getLogger("ollama")


def configure(*, as_json: bool) -> None:
    """Send all log records to stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


class _TextFormatter(logging.Formatter):
    @override
    def format(self, record: logging.LogRecord) -> str:
        if record.name == ollama_log.name:
            return record.getMessage()  # it has a time and a level of its own
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = f"{time} {record.levelname} model-server: {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    @override
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC)
        line = {  # the names of these are the same in every service
            "timestamp": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "component": "ollama",
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def relay(stream: IO[str], *, everything: bool = False) -> None:
    """Log what Ollama prints, line by line until it ends.

    Args:
        stream: its output.
        everything: also what drowns the rest: our own requests, and every model's metadata.
    """
    for line in stream:
        text = line.rstrip("\n")
        if not text or (not everything and (_OWN_REQUEST.match(text) or _METADATA.match(text))):
            continue
        found = _LEVEL.search(text)
        level = logging.getLevelNamesMapping().get(found[1].upper() if found else "INFO")
        ollama_log.log(level or logging.INFO, "%s", text)
