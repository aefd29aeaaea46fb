"""Secret values, set or generated: they become swarm secrets, so that no stack file shows them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = re.compile(
    r"(?:KEY|PASSWORD|PASSPHRASE|SECRET|TOKEN)$|^DATABASE_URL$|^OTEL_EXPORTER_OTLP_HEADERS$"
)
"""Names of variables whose values are secret."""

FOLDER = "/run/secrets"


@dataclass(frozen=True)
class GivenSecret:
    """A value that is known here.

    Attributes:
        variable: the environment variable, e.g. OPENAI_API_KEY.
        full_name: the secret's name in the swarm. Swarm secrets cannot change, so the name contains
            a hash of the value. The hash is slow, so that the value cannot be guessed from the
            stack file.
        value: the secret value.
    """

    variable: str
    full_name: str
    value: str = field(repr=False)

    @property
    def name(self) -> str:
        """The secret's name within the stack file."""
        return self.variable.lower()

    @property
    def path(self) -> str:
        """The path of the secret in a container."""
        return f"{FOLDER}/{self.name}"


def given_secrets(
    project: str, environment: Mapping[str, str | None]
) -> tuple[dict[str, str | None], tuple[GivenSecret, ...]]:
    """Return the environment with VAR_FILE in place of each secret VAR, and the secrets.

    An empty secret counts as unset, and so is left out of both.
    """
    kept: dict[str, str | None] = {}
    secrets = []
    for variable, value in environment.items():
        if not SECRET.search(variable):
            kept[variable] = value
        elif value:
            plain = value.replace("$$", "$")
            secret = given_secret(project, variable, plain)
            secrets.append(secret)
            kept[f"{variable}_FILE"] = secret.path
    return kept, tuple(secrets)


def given_secret(project: str, variable: str, value: str) -> GivenSecret:
    """Return the secret for a value."""
    return GivenSecret(variable, _name(project, variable, value), value)


def _name(project: str, variable: str, value: str) -> str:
    """Return a name that differs for each value."""
    name = f"{project}_{variable.lower()}"
    digest = hashlib.scrypt(value.encode(), salt=name.encode(), n=2**14, r=8, p=1, dklen=6)
    return f"{name}-{digest.hex()}"
