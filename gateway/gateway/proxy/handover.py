"""What LiteLLM's container learns about the models: names and facts, no secrets.

The gateway answers it at its internal endpoint, so that only one of the two reads which providers
are configured, and LiteLLM's container needs none of their variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway import __version__
from gateway.config.deployment import Deployment, Models, Protocol, RouterSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


class OtherVersionError(Exception):
    """A gateway of another version answers: during an upgrade, before the database is migrated."""


_FACTS = (
    *("id", "alias", "provider", "model", "mode", "features"),
    *("max_input_tokens", "max_output_tokens"),
)


def models_document(models: Models) -> dict[str, Any]:
    """Return the facts as JSON."""
    return {
        "version": __version__,
        "deployments": [
            {**{name: getattr(each, name) for name in _FACTS}, "price": dict(each.price)}
            for each in models.deployments
        ],
        "access_groups": {name: list(found) for name, found in models.access_groups.items()},
        "group_aliases": {name: list(found) for name, found in models.router.group_aliases.items()},
    }


def models_from(document: Mapping[str, Any]) -> Models:
    """Return the models of such a document, as far as LiteLLM's configuration needs them.

    Raises:
        OtherVersionError: a gateway of another version made it.
    """
    version = document.get("version")
    if version != __version__:
        raise OtherVersionError(f"the gateway has version {version}, this is {__version__}")
    return Models(
        deployments=tuple(
            Deployment(
                **{name: each[name] for name in _FACTS},
                protocol=Protocol.OPENAI,
                price=each["price"],
            )
            for each in document["deployments"]
        ),
        router=RouterSettings(
            group_aliases={
                name: (alias, hidden) for name, (alias, hidden) in document["group_aliases"].items()
            }
        ),
        access_groups={name: tuple(found) for name, found in document["access_groups"].items()},
    )
