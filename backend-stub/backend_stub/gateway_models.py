"""What the gateway offers to this service's key: https://docs.litellm.ai/docs/proxy/model_access."""

import httpx
from openai import APIError, AsyncOpenAI

from backend_stub.schemas import ModelName


async def models_of(client: AsyncOpenAI) -> list[ModelName]:
    """Return the names that the client's key may ask for, in the gateway's order.

    Raises:
        openai.OpenAIError: the gateway did not list them.
    """
    names = [model.id async for model in client.models.list()]
    served_by = await _served_by(client)
    return [ModelName(name=name, served_by=served_by.get(name, [])) for name in names]


async def _served_by(client: AsyncOpenAI) -> dict[str, list[str]]:
    """Return the models behind each name; nothing when the gateway does not tell this key."""
    try:
        answer = await client.get("/model/info", cast_to=httpx.Response)
        deployments = answer.json()["data"]
        found: dict[str, dict[str, None]] = {}
        for each in deployments:
            found.setdefault(each["model_name"], {})[each["litellm_params"]["model"]] = None
    except (APIError, ValueError, KeyError, TypeError):
        return {}
    return {name: list(models) for name, models in found.items()}
