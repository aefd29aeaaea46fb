"""Errors by kind: the status that goes with each, and the words the providers use for it.

The words matter: LiteLLM tells a full context window or a refused content by them
(litellm_core_utils/exception_mapping_utils.py).
"""

from scripted_upstream.exchange import Failure
from scripted_upstream.script import Action, ErrorKind, Provider

_STATUS: dict[ErrorKind, int] = {
    "bad_request": 400,
    "context_window": 400,
    "content_policy": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "rate_limit": 429,
    "quota": 429,
    "server_error": 500,
    "unavailable": 503,
}
_KIND: dict[int, ErrorKind] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    429: "rate_limit",
    503: "unavailable",
    529: "unavailable",
}
_SERVER_ERROR = 500

_MESSAGES: dict[ErrorKind, str] = {
    "bad_request": "Invalid request",
    "context_window": "This model's maximum context length is 4096 tokens. However, your messages "
    "resulted in 5000 tokens. Please reduce the length of the messages.",
    "content_policy": "Your request was rejected as a result of our safety system. Your prompt may "
    "contain text that is not allowed by our safety system.",
    "unauthorized": "Incorrect API key provided. You can find your API key in your account.",
    "forbidden": "Your key has no permission to use this model",
    "not_found": "The model does not exist or you do not have access to it",
    "rate_limit": "Rate limit reached for requests",
    "quota": "You exceeded your current quota, please check your plan and billing details",
    "server_error": "The server had an error while processing your request",
    "unavailable": "The engine is currently overloaded, please try again later",
}
_OWN_MESSAGES: dict[tuple[Provider, ErrorKind], str] = {
    ("anthropic", "context_window"): "prompt is too long: 205000 tokens > 200000 maximum",
    ("anthropic", "content_policy"): "Output blocked by content filtering policy",
    ("anthropic", "unauthorized"): "invalid x-api-key",
    ("anthropic", "unavailable"): "Overloaded",
    ("anthropic", "server_error"): "Internal server error",
    ("gemini", "context_window"): "The input token count (1200000) exceeds the maximum number of "
    "tokens allowed (1048576).",
    ("gemini", "content_policy"): "The response was blocked.",
    ("gemini", "unauthorized"): "API key not valid. Please pass a valid API key.",
    ("gemini", "rate_limit"): "Resource has been exhausted (e.g. check quota).",
    ("gemini", "unavailable"): "The model is overloaded. Please try again later.",
    ("gemini", "server_error"): "An internal error has occurred. Please retry.",
    ("huggingface", "context_window"): "Input validation error: `inputs` tokens + `max_new_tokens` "
    "must be <= 4096. Given: 5000 `inputs` tokens and 20 `max_new_tokens`",
    ("huggingface", "unauthorized"): "Invalid username or password.",
    ("ollama", "context_window"): "the input length exceeds the context length: this model's "
    "maximum context length is 4096 tokens",
    ("ollama", "not_found"): "model not found, try pulling it first",
    ("ollama", "unavailable"): "server busy, please try again. maximum pending requests exceeded",
    ("ollama", "server_error"): "llama runner process has terminated: signal: killed",
}


def failure_of(action: Action, provider: Provider) -> Failure:
    """Return the error that an action describes, with the provider's words unless it has its own.

    A status without a kind is that of its class: 418 a bad request, 502 a server error.
    """
    kind = action.error
    if kind is None:
        status = action.status or _SERVER_ERROR
        kind = _KIND.get(status, "bad_request" if status < _SERVER_ERROR else "server_error")
    message = action.message or _OWN_MESSAGES.get((provider, kind)) or _MESSAGES[kind]
    return Failure(kind, action.status or _STATUS[kind], message)


def refused(message: str, status: int = 400) -> Failure:
    """Return the error for a request that is wrong in itself."""
    return Failure(_KIND.get(status, "bad_request"), status, message)
