"""What is sent to a server that speaks OpenAI's protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from gateway.providers.parameters import rules_for
from gateway.providers.target import Target
from gateway.request import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.config.deployment import Deployment
    from gateway.request import Request, UploadedFile

OPENAI = "https://api.openai.com/v1"

SPOKEN = "openai.com"
"""The host that knows no cache_control, and refuses it; other servers may understand it."""

Body = dict[str, Any]


class OpenAIEndpoint:
    """One deployment's endpoint for one kind of call: all that is the same in every request.

    Attributes:
        deployment: whose it is.
        target: where it is.
        reports_usage: whether it takes stream_options; learned when it refuses them.
    """

    __slots__ = ("_defaults", "_rules", "_strips", "deployment", "reports_usage", "target")

    def __init__(self, deployment: Deployment, operation: Operation) -> None:
        self.deployment = deployment
        base = deployment.base or OPENAI
        headers: dict[str, str] = {}
        if deployment.key:
            headers["Authorization"] = f"Bearer {deployment.key}"
        if operation is not Operation.TRANSCRIPTION:
            headers["Content-Type"] = "application/json"
        organization = deployment.parameters.get("organization")
        if organization:
            headers["OpenAI-Organization"] = str(organization)
        headers.update(deployment.headers)
        self.target = Target.at(base + operation.path, headers)
        self.reports_usage = True
        self._defaults = dict(deployment.defaults)
        self._rules = rules_for(deployment, operation)
        host = self.target.host
        self._strips = host == SPOKEN or host.endswith(f".{SPOKEN}")

    def body(self, request: Request) -> Body:
        """Return the body of a request to it.

        Raises:
            AttemptFailedError: a parameter is not known to it, and drop_params is off.
        """
        body = {**self._defaults, **request.body} if self._defaults else dict(request.body)
        if "extra_body" in body:
            extra = body.pop("extra_body")
            default = self._defaults.get("extra_body")
            for each in (default, extra):
                if isinstance(each, dict):
                    body.update(each)
        if None in body.values():
            body = {name: value for name, value in body.items() if value is not None}
        if self._rules is not None:
            self._rules.apply(body)
        body["model"] = self.deployment.model
        if request.operation is Operation.CHAT:
            self._prepare_chat(body)
        if request.stream:
            body["stream"] = True
            self._ask_for_usage(body)
        else:
            body.pop("stream", None)
            body.pop("stream_options", None)
        return body

    def _prepare_chat(self, body: Body) -> None:
        if "tool_choice" in body and not body.get("tools") and not body.get("functions"):
            del body["tool_choice"]
        messages = body.get("messages") or []
        if any(type(each.get("content")) is list for each in messages):
            body["messages"] = messages = [_with_image_objects(each) for each in messages]
        roles = self._rules.roles if self._rules is not None else {}
        if roles and any(each.get("role") in roles for each in messages):
            body["messages"] = [
                {**each, "role": roles[each["role"]]} if each.get("role") in roles else each
                for each in messages
            ]

    def _ask_for_usage(self, body: Body) -> None:
        options = body.get("stream_options")
        if not self.reports_usage:
            body.pop("stream_options", None)
        elif isinstance(options, dict):
            body["stream_options"] = {**options, "include_usage": True}
        else:
            body["stream_options"] = {"include_usage": True}

    def encode(self, body: Body) -> bytes:
        """Return a body as it is sent."""
        data = orjson.dumps(body)
        if self._strips and b'"cache_control"' in data:
            stripped = {
                name: _without_cache_control(value) if name in ("messages", "tools") else value
                for name, value in body.items()
            }
            data = orjson.dumps(stripped)
        return data


def wants_usage(body: Mapping[str, Any]) -> bool:
    """Return whether the caller of a stream asked for its usage."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def multipart(body: Mapping[str, Any], files: Iterable[UploadedFile]) -> tuple[bytes, str]:
    """Return a form with files as bytes, and its content type.

    https://www.rfc-editor.org/rfc/rfc7578; names are quoted as browsers do.
    """
    boundary = uuid4().hex
    parts: list[bytes] = []
    for name, value in body.items():
        is_list = isinstance(value, list)
        for each in value if is_list else [value]:
            text = each if isinstance(each, str) else orjson.dumps(each).decode()
            disposition = f'form-data; name="{_quoted(f"{name}[]" if is_list else name)}"'
            parts.append(_part(boundary, disposition, None, text.encode()))
    for file in files:
        disposition = f'form-data; name="{_quoted(file.field)}"; filename="{_quoted(file.name)}"'
        parts.append(_part(boundary, disposition, file.content_type, file.content))
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, disposition: str, content_type: str | None, content: bytes) -> bytes:
    kind = f"\r\nContent-Type: {_one_line(content_type)}" if content_type else ""
    head = f"--{boundary}\r\nContent-Disposition: {disposition}{kind}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _one_line(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


def _with_image_objects(message: Body) -> Body:
    """Return a user's message whose image_url is an object: OpenAI takes no bare string."""
    content = message.get("content")
    if message.get("role") != "user" or not isinstance(content, list):
        return message
    parts = [
        {**part, "image_url": {"url": part["image_url"]}}
        if isinstance(part, dict) and isinstance(part.get("image_url"), str)
        else part
        for part in content
    ]
    return {**message, "content": parts}


def _without_cache_control(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    if isinstance(value, dict):
        return {
            name: _without_cache_control(each)
            for name, each in value.items()
            if name != "cache_control"
        }
    return [_without_cache_control(each) for each in value] if isinstance(value, list) else value
