"""LiteLLM's own proxy by its own command line, with what its documentation says for production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import yaml
from psycopg.rows import dict_row

from bench import images
from bench.alternatives.base import Alternative
from bench.alternatives.gateway import ROWS
from bench.alternatives.keys import make_keys
from bench.site import CPU_SHARES, PROVIDER
from support.stack import image
from support.wait import until

if TYPE_CHECKING:
    from datetime import datetime

MASTER = "sk-benchmark-master-0123456789"
PASSWORD = "benchmark"
ENGINE = "/opt/prisma-engine"
# https://docs.litellm.ai/docs/proxy/prod, and --run_granian and the handler of `litellm --help` and
# its list of environment variables, which were both faster here.
ENVIRONMENT = {
    "LITELLM_MASTER_KEY": MASTER,
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER": "true",
    "DISABLE_SCHEMA_UPDATE": "true",
    "PRISMA_OFFLINE_MODE": "true",
    "PRISMA_CLI_PATH": f"{ENGINE}/node_modules/.bin/prisma",
    "PRISMA_SCHEMA_ENGINE_BINARY": f"{ENGINE}/bin/schema-engine",
    "PRISMA_QUERY_ENGINE_BINARY": f"{ENGINE}/bin/query-engine",
    "PRISMA_CLI_QUERY_ENGINE_TYPE": "binary",
}
CONFIG = {
    "model_list": [
        {
            "model_name": "gpt-4o-mini",
            "litellm_params": {
                "model": "openai/gpt-4o-mini",
                "api_base": PROVIDER["OPENAI_API_BASE"],
                "api_key": PROVIDER["OPENAI_API_KEY"],
            },
        }
    ],
    "router_settings": {"routing_strategy": "simple-shuffle", "num_retries": 2, "timeout": 120},
    "litellm_settings": {"drop_params": True, "set_verbose": False},
}
DATABASE_SETTINGS = {
    "proxy_batch_write_at": 5,
    "database_connection_pool_limit": 10,
    "user_api_key_cache_ttl": 3600,
}
FITTING_KEYS = 50
"""Its caches hold 200 entries (DEFAULT_MAX_SIZE_IN_MEMORY in caching/in_memory_cache.py), several
of them for one key; with a thousand keys each request would wait for the database."""

START = (
    'printf "%s" "$CONFIG" > /tmp/config.yaml; exec litellm --config /tmp/config.yaml --run_granian'
)


class PlainLiteLLM(Alternative):
    """One process without a database: one key, no budgets, no rows."""

    name = "litellm"
    title = "LiteLLM"
    main = "litellm"

    def start(self) -> None:
        """Start it."""
        self._run({}, {})
        self.keys = [MASTER]

    def _run(self, settings: dict[str, Any], environment: dict[str, str]) -> None:
        config = CONFIG | {"general_settings": {"master_key": MASTER, **settings}}
        variables = ENVIRONMENT | environment | {"CONFIG": yaml.safe_dump(config)}
        options = [part for pair in variables.items() for part in ("--env", "=".join(pair))]
        self.containers["litellm"] = self.site.run(
            f"plain-{self.name}",
            images.build("litellm"),
            *(*CPU_SHARES, *options, "--entrypoint", "sh"),
            command=("-c", START),
        )
        self.url = f"http://plain-{self.name}:4000/v1/chat/completions"


class LiteLLMWithDatabase(PlainLiteLLM):
    """One process with a PostgreSQL of its own: the same keys, budgets and rows as this stack."""

    name = "litellm-db"
    title = "LiteLLM, database"
    _database: psycopg.Connection[dict[str, Any]]

    def start(self) -> None:
        """Start both, with the tables of LiteLLM's own migrations."""
        url = self._start_database()
        self._run(DATABASE_SETTINGS, {"DATABASE_URL": url})

    def _start_database(self) -> str:
        secrets = ("POSTGRES_PASSWORD", "GATEWAY_DB_PASSWORD")
        options = [part for name in secrets for part in ("--env", f"{name}={PASSWORD}")]
        postgres = self.site.run(
            "plain-postgres",
            image("postgres"),
            *(*options, "--shm-size", "128m", "--memory", "512m"),
        )
        self.containers["postgres"] = postgres
        host = self.site.address(postgres)

        def connected() -> psycopg.Connection[dict[str, Any]] | None:
            try:
                return psycopg.connect(
                    f"postgresql://gateway:{PASSWORD}@{host}:5432/litellm",
                    autocommit=True,
                    row_factory=dict_row,
                )
            except psycopg.OperationalError:
                return None

        self._database = until(connected, seconds=60, what="LiteLLM's PostgreSQL")
        url = f"postgresql://gateway:{PASSWORD}@plain-postgres:5432/litellm"
        self.site.stack.command(
            *("docker", "run", "--rm", "--network", f"{self.site.stack.project}_default"),
            *("--env", f"DATABASE_URL={url}", image("gateway"), "migrate"),
        )
        self.keys = make_keys(self._database, FITTING_KEYS)
        return url

    def rows_since(self, moment: datetime) -> int | None:
        """Return the rows of spend logs."""
        found = self._database.execute(ROWS, [moment]).fetchone()
        return int(found["n"]) if found else 0
