"""This stack, with everything on that a user has on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.alternatives.base import Alternative
from bench.alternatives.keys import make_keys

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

    from bench.site import Site

SERVICES = ("gateway", "litellm", "prometheus")
COUNTED = (*SERVICES, "postgres")
KEYS = 1000
ROWS = 'SELECT count(*) AS n FROM "LiteLLM_SpendLogs" WHERE "startTime" >= %s'


class Gateway(Alternative):
    """`docker compose up` of this checkout: keys, budgets, journal, rows, logs, metrics, pages."""

    name = "gateway"
    title = "this gateway"
    model = "extraction-model-openai"
    main = "gateway"

    def __init__(self, site: Site, key_count: int = KEYS) -> None:
        super().__init__(site)
        self._key_count = key_count
        self.keys = []

    _database: psycopg.Connection[dict[str, Any]]

    def start(self) -> None:
        """Start the stack."""
        stack = self.site.stack
        stack.compose("up", "--detach", "--no-build", "--wait", *SERVICES)
        self.containers = {name: stack.containers()[name] for name in COUNTED}
        self._database = stack.database()
        self.add_keys(self._key_count)
        self.url = "http://gateway:4000/v1/chat/completions"

    def add_keys(self, count: int) -> None:
        """Make more virtual keys, which are used from then on."""
        self.keys += make_keys(self._database, count)

    def rows_since(self, moment: datetime) -> int | None:
        """Return the rows of spend logs."""
        found = self._database.execute(ROWS, [moment]).fetchone()
        return int(found["n"]) if found else 0

    def versions(self) -> dict[str, str]:
        """Return what runs in it."""
        stack = self.site.stack
        show = (
            "import importlib.metadata as m, sys;"
            " print(m.version('litellm'), sys.version.split()[0])"
        )
        litellm, python = stack.execute("gateway", "python", "-c", show).split()
        version = self._database.info.server_version
        return {
            "LiteLLM behind it": litellm,
            "Python": python,
            "PostgreSQL": f"{version // 10000}.{version % 10000}",
        }
