"""LiteLLM's id of a deployment: cooldowns, spend logs and its own pages name it by that."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def deployment_id(alias: str, parameters: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """Return the id: `model_info.id`, or the hash that LiteLLM's router makes.

    Router.generate_model_id (router.py:9162 of 1.106.2) hashes the alias and litellm_params in the
    order of the file, with references resolved.
    """
    if "id" in info:
        return str(info["id"])
    parts = [alias]
    for name, value in parameters.items():
        parts.append(str(name))
        parts.append(json.dumps(value) if isinstance(value, dict) else str(value))
    return hashlib.sha256("".join(parts).encode()).hexdigest()
