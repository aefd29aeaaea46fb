"""What a request asks of the gateway, and what no request may ask.

LiteLLM reads about a hundred parameters of its own from a body. Here they fall into four groups:
- those that the gateway implements are read into `Controls`;
- those that only LiteLLM's proxy implements send the request there;
- those that would redirect a call, or bring the caller's own key, are refused, as LiteLLM refuses
  them (proxy/auth/auth_utils.py, `is_request_body_safe`);
- the rest is LiteLLM's own bookkeeping, and is dropped.
"""

from __future__ import annotations

from typing import Any

from gateway.config.deployment import LiteLLMOnly
from gateway.errors import InvalidRequestError
from gateway.http.validation.fields import boolean, invalid, mapping, string, strings
from gateway.request import Controls

REFUSED = frozenset(
    {
        "api_base",
        "api_key",
        "api_version",
        "base_url",
        "custom_llm_provider",
        "extra_headers",
        "headers",
        "model_list",
        "organization",
        "user_config",
        "vertex_credentials",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "azure_ad_token",
        "langfuse_host",
        "proxy_url",
        "slack_webhook_url",
    }
)
"""Fields with a caller's own address or key. The gateway sends its keys only to its deployments."""

LITELLM_ONLY: dict[str, str] = {
    "guardrails": "guardrails are LiteLLM's",
    "guardrail_config": "guardrails are LiteLLM's",
    "prompt_id": "prompts are managed by LiteLLM",
    "prompt_variables": "prompts are managed by LiteLLM",
    "prompt_label": "prompts are managed by LiteLLM",
    "mock_response": "LiteLLM answers these itself",
    "mock_testing_fallbacks": "LiteLLM answers these itself",
    "mock_tool_calls": "LiteLLM answers these itself",
    "mock_delay": "LiteLLM answers these itself",
    "context_window_fallback_dict": "LiteLLM chooses these models",
    "policies": "policies are LiteLLM's",
    "vector_store_ids": "vector stores are LiteLLM's",
}
"""Fields that send a request to LiteLLM's proxy, and why."""

_DROPPED = frozenset(
    {
        "allowed_openai_params",
        "cache",
        "caching",
        "cooldown_time",
        "drop_params",
        "hf_model_name",
        "input_cost_per_token",
        "max_retries",
        "metadata_deployment",
        "mock_timeout",
        "model_info",
        "no-log",
        "num_retries_per_request",
        "output_cost_per_token",
        "preset_cache_key",
        "proxy_server_request",
        "rpm",
        "secret_fields",
        "tpm",
        "use_in_pass_through",
        "ttl",
    }
)
_READ = frozenset(
    {"fallbacks", "disable_fallbacks", "num_retries", "timeout", "request_timeout", "metadata"}
    | {"litellm_metadata", "tags", "litellm_session_id", "litellm_trace_id", "stream_timeout"}
)
MAX_RETRIES = 20
MAX_SECONDS = 3600.0
MAX_TAGS = 50
MAX_TAG = 200


def take_controls(body: dict[str, Any]) -> tuple[Controls, list[LiteLLMOnly]]:
    """Take the fields that are for the gateway out of a body.

    Returns:
        What the request asks of the gateway, and why it has to go to LiteLLM's proxy; [] if it does
        not have to.

    Raises:
        InvalidRequestError: a field is one that no request may set, or cannot be read.
    """
    names = body.keys() & _OURS
    given_only = names & LITELLM_ONLY.keys()
    litellm_only = [LiteLLMOnly(name, LITELLM_ONLY[name]) for name in given_only if body[name]]
    for name in [name for name in body if name.startswith("litellm_") and name not in _READ]:
        del body[name]
    if not names:
        return Controls(), litellm_only
    for name in sorted(names & REFUSED):
        raise InvalidRequestError(
            f"'{name}' may not be set by a request; the gateway's deployments have theirs",
            param=name,
        )
    given = {name: body.pop(name) for name in names & _READ}
    for name in names & _DROPPED:
        del body[name]
    controls = _controls({name: value for name, value in given.items() if value is not None})
    return controls, litellm_only


_OURS = REFUSED | LITELLM_ONLY.keys() | _DROPPED | _READ


def _controls(given: dict[str, Any]) -> Controls:
    if "disable_fallbacks" in given:
        boolean("disable_fallbacks", given["disable_fallbacks"])
    metadata = _metadata("metadata", given.get("metadata"))
    more = _metadata("litellm_metadata", given.get("litellm_metadata"))
    tags = [*_tags("tags", given.get("tags")), *_tags("metadata.tags", metadata.get("tags"))]
    for name in ("litellm_session_id", "litellm_trace_id"):
        if name in given:
            string(name, given[name])
    timeout = given.get("timeout", given.get("request_timeout"))
    if given.get("stream_timeout") is not None and timeout is None:
        timeout = given["stream_timeout"]
    return Controls(
        fallbacks=_fallbacks(given.get("fallbacks")),
        disable_fallbacks=given.get("disable_fallbacks", False),
        num_retries=_retries(given.get("num_retries")),
        timeout=_timeout(timeout),
        metadata={**more, **metadata},
        tags=tuple(dict.fromkeys(tags)),
        session_id=given.get("litellm_session_id") or given.get("litellm_trace_id"),
    )


def _metadata(param: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    mapping(param, value)
    found: dict[str, Any] = value  # type: ignore[assignment] # a mapping, as of the line before
    for name in found.keys() & REFUSED:
        raise InvalidRequestError(f"'{param}.{name}' may not be set by a request", param=param)
    return found


def _tags(param: str, value: object) -> list[str]:
    if value is None:
        return []
    strings(param, value)
    found: list[str] = value  # type: ignore[assignment] # as above
    return [tag[:MAX_TAG] for tag in found[:MAX_TAGS]]


def _fallbacks(value: object) -> tuple[str, ...] | None:
    """Return the aliases of a request's fallbacks; None if it names none.

    An entry is a name or `{"model": name}`. LiteLLM's other forms are only for the configuration.
    """
    if value is None:
        return None
    wanted = "a list of aliases"
    if not isinstance(value, list):
        raise invalid("fallbacks", value, wanted)
    names = []
    for index, entry in enumerate(value):
        name = entry.get("model") if isinstance(entry, dict) else entry
        if not isinstance(name, str) or (isinstance(entry, dict) and len(entry) > 1):
            raise invalid(f"fallbacks[{index}]", entry, "an alias")
        names.append(name)
    return tuple(names)


def _retries(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_RETRIES:
        raise invalid("num_retries", value, f"a whole number from 0 to {MAX_RETRIES}")
    return value


def _timeout(value: object) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value <= MAX_SECONDS:  # type: ignore[operator] # a number
        raise invalid("timeout", value, f"seconds, more than 0 and at most {MAX_SECONDS:g}")
    return float(value)  # type: ignore[arg-type] # as above
