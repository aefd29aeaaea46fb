"""What compose sets in the container, for a start without one: the same names, the same meaning."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.config.problems import ConfigurationError, Problem
from gateway.native.dotenv_file import read_dotenv
from gateway.secret_store import SECRETS, ensure_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parents[3]
FOLDER = CHECKOUT / "litellm"
"""Where start_litellm.sh is, and what it makes."""

CONTAINER_NAME_OF_THE_HOST = "host.docker.internal"
OWN_SECRETS = ("litellm_master_key", "litellm_salt_key", "backend_virtual_key")
"""Secrets that a gateway with a database needs; the bundled Postgres' passwords are compose's."""


@dataclass(frozen=True)
class Folders:
    """Where a native start reads and keeps things.

    Attributes:
        root: the checkout; its .env is read, and paths in it are relative to here.
        data: the database and the generated keys.
        venv: Python's packages, Node, and Prisma's engine.
    """

    root: Path = CHECKOUT
    data: Path = FOLDER / ".data"
    venv: Path = FOLDER / ".venv"

    @property
    def prisma_engine(self) -> Path:
        """The copy of prisma-engine/ that has its modules."""
        return self.venv / "prisma-engine"

    @property
    def secrets(self) -> Path:
        """One folder a reader, as in the container."""
        return self.data / "secrets"

    def make_data(self) -> None:
        """Make the folder for what is kept, for this user's eyes only.

        Raises:
            ConfigurationError: this user may not.
        """
        try:
            self.data.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            found = f"cannot be made: {error.strerror}"
            fix = "use a checkout of your own: git clone"
            raise ConfigurationError([Problem(str(self.data), found, fix)]) from error


def native_environment(
    shell: Mapping[str, str], folders: Folders, *, host: str | None, port: int | None
) -> dict[str, str]:
    """Return the gateway's environment: the shell's variables, before those of .env.

    HOST and PORT of the shell are not taken: shells and build tools set them for ends of their own.

    Raises:
        ConfigurationError: .env cannot be read.
    """
    given = {**read_dotenv(folders.root / ".env"), **shell}
    given = {name: value for name, value in given.items() if value}
    environment = {
        "LITELLM_CONFIG": str(FOLDER / "litellm_config.yaml"),
        "OLLAMA_API_BASE": ollama_address(given.get("OLLAMA_HOST", "")),
        **given,
        "HOST": host or "127.0.0.1",
        "PORT": str(port or given.get("LITELLM_PORT", 4000)),
        "GATEWAY_STATE_DIR": str(folders.data / "state"),
        "JOURNAL_DIR": str(folders.data / "journal"),
        "PRISMA_ENGINE_DIR": str(folders.prisma_engine),
    }
    for name, value in environment.items():
        if name.endswith("_API_BASE"):
            environment[name] = value.replace(CONTAINER_NAME_OF_THE_HOST, "localhost")
        elif name.endswith("_FILE") and name.removesuffix("_FILE").lower() in OWN_SECRETS:
            environment[name] = str(folders.root / value)
    return environment


def ollama_address(ollama_host: str) -> str:
    """Return the base URL for Ollama's own variable, OLLAMA_HOST, in any of its forms.

    https://github.com/ollama/ollama/blob/main/envconfig/config.go (Host)
    """
    url = urlsplit(ollama_host if "://" in ollama_host else f"http://{ollama_host}")
    host = url.hostname or "localhost"
    if host in {"0.0.0.0", "::"}:  # noqa: S104 -- it listens everywhere, so here too
        host = "localhost"
    default_port = {"http": 80, "https": 443}[url.scheme] if "://" in ollama_host else 11434
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{url.port or default_port}"


def add_secrets(environment: dict[str, str], folders: Folders) -> None:
    """Add the keys that a gateway with a database needs: the user's, or generated once and kept.

    Raises:
        ConfigurationError: a key given is weak, or would lose data.
    """
    places = {"SECRETS_DIR": str(folders.secrets), "SECRETS_MOUNT": os.devnull}
    ensure_secrets({**environment, **places})
    for secret in SECRETS:
        if secret.name in OWN_SECRETS:
            environment.pop(secret.variable, None)
            path = folders.secrets / secret.folders[0] / secret.name
            environment[f"{secret.variable}_FILE"] = str(path)
