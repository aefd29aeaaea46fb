"""What each of providers/*.env makes the gateway send: path, key, and where the body has what.

The forms are the providers' own: https://platform.openai.com/docs/api-reference/chat,
https://ai.google.dev/api/generate-content, https://docs.anthropic.com/en/api/messages,
https://github.com/ollama/ollama/blob/main/docs/api.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Json = dict[str, Any]

UPSTREAM = "http://scripted-upstream:9000"
SYSTEM = "Du bist Lehrer."
QUESTION = "Was heißt Hund?"
TOOL = "look_up"
SCHEMA: Json = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Form:
    """Where a provider's request body has what; each function takes a body.

    Attributes:
        said: the system prompt and the question.
        schema: the JSON schema that the answer has to keep.
        tool: name and parameters of the first tool.
        forced: whether that tool is forced; None where the provider cannot be told so.
    """

    said: Callable[[Json], tuple[str, str]]
    schema: Callable[[Json], Json]
    tool: Callable[[Json], tuple[str, Json]]
    forced: Callable[[Json], bool] | None


def _openai_said(body: Json) -> tuple[str, str]:
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    return system["content"], user["content"]


def _openai_tool(body: Json) -> tuple[str, Json]:
    function = body["tools"][0]["function"]
    return function["name"], function["parameters"]


def _openai_schema(body: Json) -> Json:
    assert body["response_format"]["type"] == "json_schema"
    schema: Json = body["response_format"]["json_schema"]["schema"]
    return schema


def _gemini_schema(body: Json) -> Json:
    config = body["generationConfig"]
    assert config["response_mime_type"] == "application/json"
    schema: Json = config["response_json_schema"]
    return schema


def _gemini_tool(body: Json) -> tuple[str, Json]:
    declared = body["tools"][0]["function_declarations"][0]
    # Gemini's own schema type has no additionalProperties; LiteLLM takes it out.
    return declared["name"], declared["parameters"] | {"additionalProperties": False}


def _gemini_forced(body: Json) -> bool:
    config = body["toolConfig"]["functionCallingConfig"]
    return bool(config == {"mode": "ANY", "allowed_function_names": [TOOL]})


def _anthropic_schema(body: Json) -> Json:
    assert body["output_format"]["type"] == "json_schema"
    schema: Json = body["output_format"]["schema"]
    return schema


OPENAI = Form(
    _openai_said,
    _openai_schema,
    _openai_tool,
    lambda body: body["tool_choice"] == {"type": "function", "function": {"name": TOOL}},
)
GEMINI = Form(
    lambda body: (
        body["system_instruction"]["parts"][0]["text"],
        body["contents"][0]["parts"][0]["text"],
    ),
    _gemini_schema,
    _gemini_tool,
    _gemini_forced,
)
ANTHROPIC = Form(
    lambda body: (body["system"][0]["text"], body["messages"][0]["content"][0]["text"]),
    _anthropic_schema,
    lambda body: (body["tools"][0]["name"], body["tools"][0]["input_schema"]),
    lambda body: body["tool_choice"] == {"type": "tool", "name": TOOL},
)
# Ollama has no tool_choice: https://github.com/ollama/ollama/issues/8421
OLLAMA = Form(_openai_said, lambda body: body["format"], _openai_tool, None)


@dataclass(frozen=True)
class Wire:
    """One provider's file, what a user puts into it, and what has to leave the gateway.

    Attributes:
        provider: whose format the upstream recognises.
        given: key and base URL; the prefix of a variable comes first.
        key: header and value that the provider wants; None when it wants none.
        model: the provider's name of the model.
        path: of a request that is not streamed.
        stream_path: of one that is.
        form: of the body.
        prices: USD for a token of input, of cached input and of output; a key of LiteLLM's list.
        caches: whether the format tells cached tokens.
    """

    provider: str
    given: dict[str, str]
    key: tuple[str, str] | None
    model: str
    path: str
    form: Form
    prices: str | tuple[str, str, str]
    stream_path: str = ""
    caches: bool = True

    def path_of(self, *, stream: bool) -> str:
        """Return the path of a request."""
        return self.stream_path if stream and self.stream_path else self.path


FREE = ("0", "0", "0")
GEMINI_MODEL = "gemini-3.5-flash-lite"
CHAT = "/v1/chat/completions"


def _compatible(name: str) -> Wire:
    return Wire(
        provider="openai",
        given={"LM_STUDIO_API_BASE": f"{UPSTREAM}/u/{name}/v1"},
        key=("authorization", "Bearer lm-studio"),
        model="local-model",
        path=f"/u/{name}{CHAT}",
        form=OPENAI,
        prices=FREE,
    )


WIRES = {
    "ollama": Wire(
        provider="ollama",
        given={"OLLAMA_API_BASE": UPSTREAM},
        key=None,
        model="llama3.2",
        path="/api/chat",
        form=OLLAMA,
        prices=FREE,
        caches=False,
    ),
    "openai": Wire(
        provider="openai",
        given={"OPENAI_API_KEY": "sk-made-up", "OPENAI_API_BASE": f"{UPSTREAM}/v1"},
        key=("authorization", "Bearer sk-made-up"),
        model="gpt-4o-mini",
        path=CHAT,
        form=OPENAI,
        prices="gpt-4o-mini",
    ),
    "gemini": Wire(
        provider="gemini",
        given={"GEMINI_API_KEY": "made-up", "GEMINI_API_BASE": f"{UPSTREAM}/v1beta"},
        key=("x-goog-api-key", "made-up"),
        model=GEMINI_MODEL,
        path=f"/v1beta/models/{GEMINI_MODEL}:generateContent",
        stream_path=f"/v1beta/models/{GEMINI_MODEL}:streamGenerateContent",
        form=GEMINI,
        prices=f"gemini/{GEMINI_MODEL}",
    ),
    "anthropic": Wire(
        provider="anthropic",
        given={"ANTHROPIC_API_KEY": "sk-ant-made-up", "ANTHROPIC_API_BASE": UPSTREAM},
        key=("x-api-key", "sk-ant-made-up"),
        model="claude-haiku-4-5",
        path="/v1/messages",
        form=ANTHROPIC,
        prices="claude-haiku-4-5",
    ),
    "huggingface": Wire(
        provider="huggingface",
        given={
            "HUGGINGFACE_API_KEY": "hf_made_up",
            "HUGGINGFACE_API_BASE": f"{UPSTREAM}/v1",
            "HUGGINGFACE_COST_PER_1M_TOKENS": "0.02,0.05",
        },
        key=("authorization", "Bearer hf_made_up"),
        model="meta-llama/Llama-3.1-8B-Instruct",
        path=CHAT,
        form=OPENAI,
        prices=("0.00000002", "0.00000002", "0.00000005"),
    ),
    "lmstudio": _compatible("lm-studio"),
    "openai-compatible": _compatible("vllm"),
}
"""By the name of the file, without .env."""
