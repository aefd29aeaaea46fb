"""A stack with a litellm_config.yaml of its own, by an override file as a user may write one."""

from __future__ import annotations

from typing import Any

import yaml

from support.stack import REPOSITORY


def own_configuration(name: str, config: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a stack whose gateway reads this configuration.

    Args:
        name: of the two files that are written; they lie inside the checkout, because the engine
            mounts them from there.
        config: the content of litellm_config.yaml.
    """
    folder = REPOSITORY / "artefacts"
    folder.mkdir(exist_ok=True)
    path, override = folder / f"{name}_config.yaml", folder / f"{name}.yml"
    path.write_text(yaml.safe_dump(config))
    mount = {"type": "bind", "source": str(path), "target": "/etc/litellm/litellm_config.yaml"}
    services = {name: {"volumes": [mount]} for name in ("gateway", "litellm")}
    override.write_text(yaml.safe_dump({"services": services}))
    return {"COMPOSE_FILE": f"docker-compose.yml:{override}"}
