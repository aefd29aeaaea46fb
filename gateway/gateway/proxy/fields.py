"""Which fields of a request LiteLLM may read, which the gateway reads, and which nobody.

LiteLLM takes most of its own parameters from a request's body as well, several hundred of them. So
what it gets to see is an allow-list: the API's fields, and the few controls that its users are
meant to set. Any other field is the model's and travels in `extra_body`, which LiteLLM puts into
the call as it is and reads nothing from.
"""

from __future__ import annotations

from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


API = _words(
    """
    model messages stream stream_options temperature top_p n stop max_tokens
    max_completion_tokens presence_penalty frequency_penalty logit_bias logprobs top_logprobs
    seed user tools tool_choice parallel_tool_calls functions function_call response_format
    reasoning_effort modalities audio prediction metadata store service_tier verbosity
    safety_identifier prompt_cache_key prompt_cache_retention web_search_options prompt suffix
    echo best_of input dimensions encoding_format input_type size quality style response_format
    background output_format output_compression moderation partial_images image mask
    input_fidelity voice speed instructions language timestamp_granularities file
    chunking_strategy include system stop_sequences top_k thinking container context_management
    mcp_servers output_config previous_response_id conversation reasoning text truncation
    max_output_tokens max_tool_calls contents generationConfig safetySettings systemInstruction
    toolConfig cachedContent
    """
)
"""Fields of the APIs that LiteLLM translates: OpenAI's chat completions, completions, embeddings,
images, audio and responses (platform.openai.com/docs/api-reference), and Anthropic's messages
(docs.anthropic.com/en/api/messages), Google's generateContent (ai.google.dev/api)."""

CONTROLS = _words(
    """
    guardrails guardrail_config policies tags cache fallbacks disable_fallbacks num_retries
    timeout stream_timeout litellm_metadata litellm_session_id litellm_trace_id litellm_call_id
    prompt_id prompt_variables prompt_version no-log
    """
)
"""LiteLLM's own fields that callers are meant to set: docs.litellm.ai/docs/proxy/user_keys and
the pages of guardrails, caching, prompt management and sessions."""

METADATA_CONTROLS = _words(
    """
    tags guardrails generation_name generation_id trace_id trace_name trace_user_id session_id
    user_id spend_logs_metadata
    """
)
"""What LiteLLM may read in `metadata` and `litellm_metadata` besides texts and numbers."""

HEADERS = _words(
    """
    x-litellm-call-id x-litellm-trace-id x-litellm-session-id x-litellm-tags x-litellm-timeout
    x-litellm-stream-timeout x-litellm-num-retries x-litellm-spend-logs-metadata
    x-litellm-end-user-id x-litellm-customer-id x-litellm-api-key
    x-litellm-enable-message-redaction x-litellm-changed-by
    """
)
"""LiteLLM's request headers that pass; every other x-litellm-… is dropped."""

NEVER = _words(
    """
    headers extra_headers default_headers extra_query api_key api_base base_url api_version
    azure_endpoint organization user_config model_list model_info custom_llm_provider
    litellm_credential_name configurable_clientside_auth_params router_settings_override
    specific_deployment use_litellm_proxy use_chat_completions_api provider_specific_header
    litellm_params input_cost_per_token output_cost_per_token client ssl_verify fallbacks
    context_window_fallbacks content_policy_fallbacks default_fallbacks max_fallbacks
    disable_fallbacks num_retries max_retries retry_policy retry_strategy cooldown_time
    allowed_fails timeout request_timeout stream_timeout mock_response mock_timeout
    mock_tool_calls mock_testing_fallbacks mock_delay mock_testing_context_fallbacks
    mock_testing_content_policy_fallbacks mock_testing_rate_limit_error
    """
)
"""What no call to a model may carry inside LiteLLM, whoever set it: another server, key or model
than the configured one; fallbacks and retries, which the gateway gets as controls; answers that no
model gave."""

FOREIGN_PREFIXES = ("aws_", "azure_", "vertex_", "gcs_", "s3_", "watsonx_", "oci_", "sagemaker_")
"""Credentials and addresses of providers; LiteLLM has only one provider, the gateway."""


PLAIN = (str, int, float, bool, type(None))


def let_through(body: dict[str, Any]) -> dict[str, Any]:
    """Return what LiteLLM gets of a caller's body: a new object, `body` stays as it is."""
    passed: dict[str, Any] = {}
    beyond: dict[str, Any] = {}
    for name, value in body.items():
        if name in ("metadata", "litellm_metadata"):
            passed[name] = _metadata(value)
        elif name in API or name in CONTROLS:
            passed[name] = value
        elif name == "extra_body":
            beyond |= value if isinstance(value, dict) else {}
        elif not _is_forbidden(name):
            beyond[name] = value
    beyond = {n: v for n, v in beyond.items() if not _is_forbidden(n) and n not in passed}
    if beyond:
        passed["extra_body"] = beyond
    return passed


def header_passes(name: str) -> bool:
    """Return whether LiteLLM gets a request header, given in lower case."""
    if name.startswith("x-litellm-"):
        return name in HEADERS
    return not name.startswith(
        ("x-gateway-", "llm_provider-", "x-pass-", "langfuse_", "x-forwarded-")
    )


def take_out(data: dict[str, Any]) -> None:
    """Remove from a call inside LiteLLM what would lead it past the gateway; changes `data`."""
    for name in [name for name in data if _is_forbidden(name)]:
        del data[name]
    beyond = data.get("extra_body")
    if isinstance(beyond, dict):
        data["extra_body"] = {
            n: v for n, v in beyond.items() if not _is_forbidden(n) and n != "model"
        }


def controls_of(data: dict[str, Any]) -> dict[str, Any]:
    """Return what a call inside LiteLLM asks of the gateway: fields of `request.Controls`."""
    found: dict[str, Any] = {}
    fallbacks = data.get("fallbacks")
    if isinstance(fallbacks, list) and all(isinstance(alias, str) for alias in fallbacks):
        found["fallbacks"] = fallbacks
    if data.get("disable_fallbacks") is True:
        found["disable_fallbacks"] = True
    for name, kinds in (("num_retries", int), ("timeout", (int, float))):
        value = data.get(name)
        if isinstance(value, kinds) and not isinstance(value, bool):
            found[name] = value
    metadata = data.get("metadata") or data.get("litellm_metadata") or {}
    if isinstance(metadata, dict):
        _add_metadata(found, metadata)
    session = data.get("litellm_session_id") or found.pop("session", None)
    if isinstance(session, str):
        found["session_id"] = session
    return found


def _add_metadata(found: dict[str, Any], metadata: dict[str, Any]) -> None:
    tags = metadata.get("tags")
    if isinstance(tags, list):
        found["tags"] = [tag for tag in tags if isinstance(tag, str)]
    own = metadata.get("requester_metadata")  # the caller's, as it came
    if isinstance(own, dict):
        kept = {n: v for n, v in own.items() if isinstance(v, PLAIN) and not _is_litellms(n)}
        found.update({"metadata": kept} if kept else {})
    if isinstance(metadata.get("session_id"), str):
        found["session"] = metadata["session_id"]


def _metadata(value: object) -> object:
    """Return of a metadata object its plain values and what LiteLLM may read of the others."""
    if not isinstance(value, dict):
        return value
    return {
        name: each
        for name, each in value.items()
        if isinstance(name, str)
        and not _is_litellms(name)
        and not _is_forbidden(name)
        and (name in METADATA_CONTROLS or isinstance(each, PLAIN))
    }


def _is_forbidden(name: object) -> bool:
    return not isinstance(name, str) or name in NEVER or name.startswith(FOREIGN_PREFIXES)


def _is_litellms(name: str) -> bool:
    """Return whether a name in `metadata` is LiteLLM's own, which no caller may set."""
    return name.startswith(("user_api_key", "_")) or name == "used_client_oauth_token"
