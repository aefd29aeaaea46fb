"""Read and check a body, so that every room can rely on its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import InvalidRequestError
from gateway.http.validation import chat
from gateway.http.validation.controls import take_controls
from gateway.http.validation.fields import invalid
from gateway.http.validation.operations import FIELDS, REQUIRED

if TYPE_CHECKING:
    from gateway.config.deployment import LiteLLMOnly
    from gateway.request import Controls, Operation

MAX_MODEL = 256
MAX_END_USER = 512


@dataclass(frozen=True, slots=True)
class ReadBody:
    """A body that was read and is valid.

    Attributes:
        fields: the fields for a provider, without controls and without nulls.
        model: the alias.
        controls: what the request asks of the gateway itself.
        litellm_only: why the request has to go to LiteLLM's proxy; [] if it does not.
        stream: whether the answer is to be streamed.
    """

    fields: dict[str, Any]
    model: str
    controls: Controls
    litellm_only: list[LiteLLMOnly]
    stream: bool


def parse_json(raw: bytes) -> dict[str, Any]:
    """Return a body's JSON object.

    Raises:
        InvalidRequestError: the body is not a JSON object.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"the body is not JSON: {error}", param="request_body") from None
    if not isinstance(body, dict):
        raise InvalidRequestError("the body is not a JSON object", param="request_body")
    return body


def model_of(body: dict[str, Any], in_path: str | None) -> str:
    """Return the model that a request names, in its path or its body.

    Raises:
        InvalidRequestError: it names no model, or its name is too long.
    """
    model = in_path or body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("model", model, "the name of a model; GET /v1/models lists them")
    if len(model) > MAX_MODEL:
        raise InvalidRequestError(f"'model' is longer than {MAX_MODEL} characters", param="model")
    return model


def end_user_of(body: dict[str, Any]) -> str | None:
    """Return the end user that the request is made for: OpenAI's `user`; None if there is none.

    Raises:
        InvalidRequestError: `user` is not a string, or too long for an id.
    """
    user = body.get("user")
    if user is None or user == "":
        return None
    if not isinstance(user, str):
        raise invalid("user", user, "a string")
    if len(user) > MAX_END_USER:
        raise InvalidRequestError(f"'user' is longer than {MAX_END_USER} characters", param="user")
    return user


def read_fields(operation: Operation, body: dict[str, Any], model: str) -> ReadBody:
    """Check a whole body, and take out the fields that are for the gateway and those that are null.

    Raises:
        InvalidRequestError: a field is wrong; the error names the first one.
    """
    chat.not_too_deep(body)
    controls, litellm_only = take_controls(body)
    for name in [name for name, value in body.items() if value is None]:
        del body[name]
    for name in REQUIRED[operation]:
        if name not in body:
            raise InvalidRequestError(f"Missing required parameter: '{name}'.", param=name)
    checks = FIELDS[operation]
    for name, value in body.items():
        check = checks.get(name)
        if check is not None:
            check(name, value)
    body["model"] = model
    return ReadBody(body, model, controls, litellm_only, stream=body.get("stream") is True)
