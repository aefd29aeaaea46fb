"""The list behind `routes.py`, written to be read: paths, and why they go where they go."""

from __future__ import annotations

_PAST = "it would bypass the gateway: no failover, no budget, no cost"
_NEEDS_PROVIDER = (
    "it keeps its data at a provider, under the provider's key, which LiteLLM does not hold here"
)
_CHANGES = (
    "models and routing are litellm_config.yaml's; a change made here would bypass the gateway"
)
_WITHOUT_IDENTITY = "LiteLLM's call would not say whose request it is"

NATIVE: tuple[tuple[str, str, bool], ...] = (
    (
        """
        /chat/completions /v1/chat/completions /engines/*/chat/completions
        /openai/deployments/*/chat/completions /completions /v1/completions
        /engines/*/completions /openai/deployments/*/completions /embeddings /v1/embeddings
        /engines/*/embeddings /openai/deployments/*/embeddings
        """,
        "the gateway's own; by LiteLLM where a key, a request or the configuration needs it",
        False,
    ),
    (
        """
        /audio/speech /v1/audio/speech /audio/transcriptions /v1/audio/transcriptions
        /openai/deployments/*/audio/speech /openai/deployments/*/audio/transcriptions
        /moderations /v1/moderations
        """,
        f"the gateway's own, never by LiteLLM: {_WITHOUT_IDENTITY}",
        True,
    ),
    ("/models /v1/models /openai/v1/models", "the gateway's own: the aliases of a key", False),
    (
        "/model/info /v1/model/info",
        "the gateway's own: what is behind each alias; LiteLLM's with a query",
        False,
    ),
    ("/health /health/liveliness /health/liveness /health/readiness", "the gateway's own", True),
)
"""Paths, reason, whether LiteLLM is never asked."""

TRANSLATED: tuple[tuple[str, str], ...] = (
    (
        "/messages /v1/messages",
        "Anthropic's API; LiteLLM translates it to chat completions of the gateway",
    ),
    (
        "/responses /v1/responses /openai/v1/responses",
        "OpenAI's responses; LiteLLM translates them to chat completions, nothing is stored",
    ),
    (
        """
        /images/generations /v1/images/generations /images/edits /v1/images/edits
        /openai/deployments/*/images/generations /openai/deployments/*/images/edits
        """,
        "images; LiteLLM asks the gateway for them",
    ),
    (
        "/v1beta/models /models",
        "Google's generateContent; LiteLLM translates it to chat completions of the gateway",
    ),
)
"""POST: LiteLLM makes calls to the gateway's internal endpoint of them."""

FORWARDED: tuple[tuple[str, str], ...] = (
    ("/key /v2/key /jwt /budget /customer /end_user", "keys, customers and budgets"),
    (
        """
        /team /v2/team /user /v2/user /organization /v2/organization /project /invitation
        /access_group /v1/access_group /v1/unified_access_group /tag /scim /v2/login /session
        /management /get /update
        """,
        "teams, users, organisations, and the settings of the pages",
    ),
    (
        """
        /spend /global /agent/daily /gateway/daily /model-insights /cost_optimization /audit
        /provider/budgets /usage /cost/estimate /v2/model
        /model_group/info /model/metrics /model/streaming_metrics /model/settings
        /model/deprecations /v1/model/deprecations /public /routes /settings /active /callbacks
        /router/settings /router/fields /in_product_nudges
        """,
        "reports over the rows that the gateway writes, and what is configured",
    ),
    (
        """
        /ui /_next /litellm-asset-prefix /login /v3/login /fallback/login /sso /onboarding /saml
        /favicon.ico /get_image /get_favicon /get_logo_url /litellm /robots.txt /openapi.json
        /swagger /docs /redoc /upload/logo /models/info
        """,
        "the admin page, and the API's description",
    ),
    (
        """
        /guardrails /v2/guardrails /apply_guardrail /policies /policy /compliance /prompts
        /cache/ping /cache/redis /cache/flushall /cache/delete /utils/token_counter
        /utils/model_info /utils/supported_openai_params /utils/transform_request
        /utils/available_routes
        """,
        "guardrails, policies, prompts and cache that the configuration has",
    ),
    (
        """
        /mcp /v1/mcp /mcp-rest /*/mcp /toolset /.well-known /authorize /token /register /revoke
        /introspect /callback /*/authorize /*/token /*/register /v1/tool
        """,
        "MCP servers that the configuration has; they are no models and cost nothing here",
    ),
    ("/credentials", "provider keys that LiteLLM stores encrypted; no model here uses one"),
    ("/claude-code /v1/memory /v1/workflows /api/event_logging", "kept in the database alone"),
)
"""Forwarded as they are."""

READ_ONLY: tuple[tuple[str, str], ...] = (
    (
        """
        / /fallback /auto_router /adaptive_router /config/list
        /config/field/info /config/pass_through_endpoint /config/cost_discount_config
        /config/cost_margin_config /config/block_requests_for_models_without_pricing
        /cache/settings /coordination_redis/settings /config_overrides /alerting/settings
        /managed/settings /api/plugins /gateway/errors /users/me
        /model/cost_map/source
        """,
        "read by the pages; what changes any of it is refused",
    ),
)
"""GET only."""

REFUSED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "/rerank /v1/rerank /v2/rerank",
        "LiteLLM has no rerank in OpenAI's protocol, the only one it speaks with the gateway",
        (),
    ),
    (
        """
        /v1/messages/count_tokens /messages/count_tokens /v1/responses/input_tokens
        /responses/input_tokens /openai/v1/responses/input_tokens /v1beta/models/*/countTokens
        """,
        f"counting would ask the provider: {_WITHOUT_IDENTITY}",
        (),
    ),
    (
        "/responses /v1/responses /openai/v1/responses",
        "responses are not stored here, so there is none to look up",
        ("GET", "DELETE", "PUT", "PATCH", "HEAD"),
    ),
    (
        "/responses/* /v1/responses/* /openai/v1/responses/*",
        "responses are not stored here, so there is none to look up, cancel or shorten",
        (),
    ),
    (
        """
        /files /v1/files /*/v1/files /batches /v1/batches /*/v1/batches /fine_tuning
        /v1/fine_tuning /assistants /v1/assistants /threads /v1/threads /vector_stores
        /v1/vector_stores /vector_store /v1/vector_store /containers /v1/containers /videos
        /v1/videos /v1/evals /v1/skills /v1/indexes /rag /v1/rag
        """,
        _NEEDS_PROVIDER,
        (),
    ),
    (
        "/realtime /v1/realtime /openai/v1/realtime /live /v1/live /openai/v1/live /vertex_ai/live",
        "a websocket to a provider bypasses the gateway",
        (),
    ),
    (
        """
        /ocr /v1/ocr /search /v1/search /search_tools /interactions /v1beta/interactions
        /v1beta/agents /a2a /v1/a2a /v1/agents /transcribe /decisions /v1/decisions /systemone
        /v1/systemone /queue
        """,
        _PAST,
        (),
    ),
    (
        """
        /openai /openai_passthrough /anthropic /gemini /vertex_ai /vertex-ai /bedrock /cohere
        /mistral /azure /azure_ai /azure_speech /assemblyai /eu.assemblyai /langfuse /vllm
        /milvus /nvidia_nim /openrouter /cursor /deepgram /fal_ai /gigachat /watsonx /typesafe
        /tinyfish /bespoke /laya /comprehendmedical /moyai
        """,
        f"a pass-through to a provider: {_PAST}",
        (),
    ),
    (
        """
        /model/new /model/update /model/delete /model/*/update /model_hub /fallback
        /auto_router /adaptive_router /model_group/make_public
        /router/settings /model/block /model/unblock /alerting /managed
        """,
        _CHANGES,
        ("POST", "PUT", "PATCH", "DELETE"),
    ),
    (
        """
        /config /config_overrides /coordination_redis /cache/settings /callbacks/logs
        /add/allowed_ip /delete/allowed_ip /rust_control_plane /v1/rust_control_plane
        """,
        "settings are litellm_config.yaml's, which is checked before it is used",
        ("POST", "PUT", "PATCH", "DELETE"),
    ),
    (
        """
        /health/test_connection /health/services /health/history /health/latest /health/license
        /health/shared-status
        """,
        "LiteLLM's checks call models unsigned, or other servers; see `./run doctor`",
        (),
    ),
    (
        "/usage/ai",
        f"it asks a model about the reports: {_WITHOUT_IDENTITY}",
        (),
    ),
    (
        """
        /reload /schedule /cloudzero /vantage /focus /email /test /debug /memory-usage
        /otel-spans /lens /telemetry /v1/traces /roi
        """,
        "it calls other servers, or needs a package that this image leaves out",
        (),
    ),
)
"""Paths, reason, methods; () for all."""
