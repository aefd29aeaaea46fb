"""The stack's secrets: made once, kept in volumes, or taken from the user.

Each consumer mounts only its own folder, so one value may be written to two of them.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.environment import Environment
from gateway.config.key_strength import weakness
from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DIRECTORY_VARIABLE = "SECRETS_DIR"
DEFAULT_DIRECTORY = "/secrets"
MOUNT_VARIABLE = "SECRETS_MOUNT"
DEFAULT_MOUNT = "/run/secrets"
"""Where Compose mounts the files that a user names in VAR_FILE, each under its secret's name."""

REPLACE_SALT_VARIABLE = "LITELLM_SALT_KEY_REPLACE"
FILE_MODE = 0o440
DIRECTORY_MODE = 0o750


@dataclass(frozen=True)
class Secret:
    """One secret: its file name, the folders it goes to, and whether it is an API key."""

    name: str
    folders: tuple[str, ...]
    is_api_key: bool = False

    @property
    def variable(self) -> str:
        """The variable by which a user sets it."""
        return self.name.upper()

    def generate(self) -> str:
        """Return a new random value; 256 bits, and no character that needs escaping."""
        token = secrets.token_urlsafe(32)
        return f"sk-{token}" if self.is_api_key else token


SECRETS = (
    Secret("litellm_master_key", ("gateway",), is_api_key=True),
    Secret("litellm_salt_key", ("gateway",)),
    Secret("gateway_db_password", ("gateway", "postgres")),
    Secret("backend_virtual_key", ("gateway", "backend"), is_api_key=True),
    Secret("postgres_password", ("postgres",)),
)


@dataclass(frozen=True)
class Resolved:
    """A secret's value and where it came from."""

    secret: Secret
    value: str
    origin: str


def ensure_secrets(variables: Mapping[str, str]) -> list[str]:
    """Make every secret exist; return one line a file, never a value.

    Nothing is written unless everything the user gave can be used.

    Raises:
        ConfigurationError: a given secret is weak, unreadable, or would lose data.
    """
    base = Path(variables.get(DIRECTORY_VARIABLE) or DEFAULT_DIRECTORY)
    resolved = _resolve_all(base, variables)
    return [line for item in resolved for line in _keep(base, item)]


def _resolve_all(base: Path, variables: Mapping[str, str]) -> list[Resolved]:
    given = {name: value for name, value in variables.items() if value}
    environment = Environment({**_mounted(variables), **given})
    resolved: list[Resolved] = []
    problems: list[Problem] = []
    for secret in SECRETS:
        try:
            item = _resolve(base, secret, environment)
        except ConfigurationError as error:
            problems.extend(error.problems)
        else:
            resolved.append(item)
            problems.extend(_problems(base, item, environment))
    problems.extend(_shared_key(resolved))
    if problems:
        raise ConfigurationError(problems)
    return resolved


def _mounted(variables: Mapping[str, str]) -> dict[str, str]:
    """Return VAR_FILE for every secret that is mounted."""
    mount = Path(variables.get(MOUNT_VARIABLE) or DEFAULT_MOUNT)
    return {
        f"{secret.variable}_FILE": str(mount / secret.name)
        for secret in SECRETS
        if (mount / secret.name).exists()
    }


def _resolve(base: Path, secret: Secret, environment: Environment) -> Resolved:
    given = environment.get(secret.variable)
    if given is not None:
        return Resolved(secret, given, f"taken from {environment.source(secret.variable)}")
    kept = stored(base, secret)
    if kept is not None:
        return Resolved(secret, kept, "kept")
    return Resolved(secret, secret.generate(), "generated")


def _problems(base: Path, item: Resolved, environment: Environment) -> Iterator[Problem]:
    if not item.origin.startswith("taken"):
        return
    variable = environment.source(item.secret.variable) or item.secret.variable
    reason = weakness(item.value) if item.secret.is_api_key else None
    if reason is not None:
        yield Problem(
            variable,
            f"the key given {reason}",
            'set a random one, for example "sk-$(openssl rand -hex 24)", or unset it to have one '
            "generated",
        )
    if item.secret.name == "litellm_salt_key":
        kept = stored(base, item.secret)
        may_replace = environment.get(REPLACE_SALT_VARIABLE) == "true"
        if kept is not None and kept != item.value and not may_replace:
            yield Problem(
                variable,
                "differs from the salt key in use; provider keys that LiteLLM stored with the "
                "old one would become unreadable",
                f"unset it, or set {REPLACE_SALT_VARIABLE}=true if no such key is stored",
            )


def _shared_key(resolved: list[Resolved]) -> Iterator[Problem]:
    values = {item.secret.name: item.value for item in resolved}
    master = values.get("litellm_master_key")
    if master is not None and master == values.get("backend_virtual_key"):
        yield Problem(
            "BACKEND_VIRTUAL_KEY",
            "is the master key, which no budget limits",
            "set another one, or unset it to have one generated",
        )


def stored(base: Path, secret: Secret) -> str | None:
    """Return the value of the first folder that has one."""
    for folder in secret.folders:
        try:
            value = (base / folder / secret.name).read_text(encoding="utf-8").removesuffix("\n")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unusable(base / folder, error) from error
        if value:
            return value
    return None


def store(base: Path, secret: Secret, value: str) -> list[str]:
    """Put a value in force for all its readers; return the files, as "folder/name".

    Raises:
        ConfigurationError: a folder cannot be written to.
    """
    for folder in secret.folders:
        path = base / folder / secret.name
        try:
            _write(path, value)
        except OSError as error:
            raise _unusable(path.parent, error) from error
    return [f"{folder}/{secret.name}" for folder in secret.folders]


def _keep(base: Path, item: Resolved) -> list[str]:
    return [f"{name}: {item.origin}" for name in store(base, item.secret, item.value)]


def _write(path: Path, value: str) -> None:
    """Write atomically, unless the file has this content and mode already."""
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    if path.exists() and path.read_text(encoding="utf-8") == value:
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        [
            Problem(
                str(folder),
                f"cannot be used by uid {os.getuid()}: {error.strerror}",
                "mount a volume there that this user may write, or remove the old volume",
            )
        ]
    )
