"""LiteLLM's own command line, in the gateway's image and against the same database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.stack import Stack

ENGINE = "/opt/prisma-engine"
START = 'printf "%s" "$PLAIN_CONFIG" > /tmp/plain.yaml; exec litellm --config /tmp/plain.yaml'


def start_plain(stack: Stack, name: str, key: str, config: str, *publish: str) -> None:
    """Start a container of that name with LiteLLM's command line and that configuration.

    Args:
        stack: whose network, database and providers it uses.
        name: of the container.
        key: its master key.
        config: the content of its configuration file.
        publish: options of `docker compose run` that publish its port 4000.
    """
    password = stack.execute("postgres", "cat", "/run/postgres-secrets/gateway_db_password")
    variables = {
        "DATABASE_URL": f"postgresql://gateway:{password}@postgres:5432/litellm",
        "LITELLM_MASTER_KEY": key,
        "REQUEST_TIMEOUT": "120",
        "PLAIN_CONFIG": config,
        "PRISMA_OFFLINE_MODE": "true",
        "PRISMA_CLI_PATH": f"{ENGINE}/node_modules/.bin/prisma",
        "PRISMA_SCHEMA_ENGINE_BINARY": f"{ENGINE}/bin/schema-engine",
        "PRISMA_QUERY_ENGINE_BINARY": f"{ENGINE}/bin/query-engine",
        "PRISMA_CLI_QUERY_ENGINE_TYPE": "binary",
    }
    environment = [part for pair in variables.items() for part in ("--env", "=".join(pair))]
    options = ["--detach", "--no-deps", *publish, "--name", name, *environment]
    stack.compose("run", *options, "--entrypoint", "sh", "gateway", "-c", START)
