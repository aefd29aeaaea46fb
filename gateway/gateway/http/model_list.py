"""GET /models: the models that a key may ask for. No provider is asked, so it costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from gateway.errors import GatewayError
from gateway.http.asgi import answer_error, answer_json
from gateway.http.keys import secret_of
from gateway.http.paths import ONE_MODEL

if TYPE_CHECKING:
    from gateway.access.access import Access
    from gateway.config.deployment import Deployment, Models
    from gateway.http.asgi import Message, Send

CREATED = 1677610602
"""LiteLLM's constant (constants.py, DEFAULT_MODEL_CREATED_AT_TIME): an alias has no such time."""


class ModelList:
    """Answers with the list of models, or with one of them.

    Args:
        models: the configured models.
        access: identifies callers.
    """

    def __init__(self, models: Models, access: Access) -> None:
        self._models = models
        self._access = access

    async def __call__(self, scope: Message, send: Send) -> None:
        """Answer GET /models, or GET /models/NAME."""
        try:
            secret = secret_of(dict(scope["headers"]))
            caller = await self._access.identify(secret, route=scope["path"])
            content = self._found(_name_in(scope["path"]), self._access.visible_aliases(caller))
            await answer_json(send, 200, content)
        except GatewayError as error:
            await answer_error(send, error)

    async def answer_info(self, scope: Message, send: Send) -> None:
        """Answer GET /model/info, in LiteLLM's form: what is behind each name, and its price."""
        try:
            secret = secret_of(dict(scope["headers"]))
            caller = await self._access.identify(secret, route=scope["path"])
            aliases = self._access.visible_aliases(caller)
            found = [each for alias in aliases for each in self._models.match(alias)]
            await answer_json(send, 200, {"data": [_info(each) for each in found]})
        except GatewayError as error:
            await answer_error(send, error)

    def _found(self, name: str | None, aliases: list[str]) -> dict[str, Any]:
        if name is None:
            return {"data": [self._entry(alias) for alias in aliases], "object": "list"}
        if name in aliases:
            return self._entry(name)
        raise GatewayError(
            f"there is no model '{name[:100]}' for this key; GET /v1/models lists them",
            status=404,
            type="invalid_request_error",
            code="model_not_found",
        )

    def _entry(self, alias: str) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "id": alias,
            "object": "model",
            "created": CREATED,
            "owned_by": "openai",
        }
        deployments = self._models.of_alias(alias)
        if deployments:
            entry["mode"] = deployments[0].mode
        return entry


def _info(deployment: Deployment) -> dict[str, Any]:
    parameters = {"model": deployment.full_model}
    if deployment.base is not None:
        parameters["api_base"] = deployment.base
    known = {name: value for name, value in deployment.price.items() if value is not None}
    return {
        "model_name": deployment.alias,
        "litellm_params": parameters,
        "model_info": {
            **known,
            "id": deployment.id,
            "mode": deployment.mode,
            "max_input_tokens": deployment.max_input_tokens,
            "max_output_tokens": deployment.max_output_tokens,
        },
    }


def _name_in(path: str) -> str | None:
    for prefix in ONE_MODEL:
        if path.startswith(prefix):
            return unquote(path[len(prefix) :])
    return None
