"""Which of OpenAI's parameters a model takes, and under which name: LiteLLM's drop_params.

From LiteLLM 1.106.2: llms/openai/chat/gpt_transformation.py, o_series_transformation.py and
gpt_5_transformation.py. A field that is none of OpenAI's is not a parameter to it and passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.providers.failures import refused
from gateway.request import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.config.deployment import Deployment

NEVER = frozenset(
    {"context_management", "include_server_side_tool_invocations", "metadata", "thinking"}
)
OF_GPT_5 = frozenset({"verbosity"})
OF_REASONING_MODELS = frozenset({"reasoning_effort"})
ASKED_FOR_EFFORT = frozenset({"openai", "hosted_vllm"})
"""Of the servers of OpenAI's protocol, those of which LiteLLM lets any model judge an effort
(1.108.7: llms/openai/chat/gpt_transformation.py:909, llms/hosted_vllm/chat/transformation.py)."""

SAMPLING = frozenset({"logprobs", "top_logprobs", "top_p"})
NOT_OF_O_SERIES = SAMPLING | {"presence_penalty", "frequency_penalty"}
NOT_OF_GPT_5 = frozenset(
    {"presence_penalty", "frequency_penalty", "stop", "logit_bias", "modalities", "prediction"}
    | {"audio", "web_search_options"}
)
NOT_OF_SEARCH = (
    NOT_OF_GPT_5 - {"web_search_options"}
    | SAMPLING
    | OF_REASONING_MODELS
    | {
        *("function_call", "functions", "tools", "tool_choice", "parallel_tool_calls"),
        *("n", "seed", "temperature", "prompt_cache_key", "prompt_cache_retention"),
    }
)
NOT_OF_OLLAMA = NEVER | {
    *("audio", "function_call", "logit_bias", "modalities", "n", "parallel_tool_calls"),
    *("prediction", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"),
    *("service_tier", "store", "user", "verbosity", "web_search_options"),
}
DEVELOPER_IS_SYSTEM: Mapping[str, str] = {"developer": "system"}
"""Only OpenAI's o-series is sure to know a developer; many a server's chat template refuses one
(llms/base_llm/chat/transformation.py, translate_developer_role_to_system_role)."""

UNVALIDATED = frozenset({"user"})
"""Left out silently where it is not known, whatever drop_params says."""

_O_SERIES = re.compile(r"o\d")


@dataclass(frozen=True, slots=True)
class ParameterRules:
    """What a deployment takes.

    Attributes:
        unknown: parameters that it does not take.
        silent: those of them that are left out even without drop_params.
        is_reasoning: whether it takes max_completion_tokens instead of max_tokens, and no
            temperature but 1.
        features: what the price map says that it can, for the efforts of reasoning.
        model: its name, for messages.
        provider: LiteLLM's name, for messages.
        drops: drop_params.
        roles: role of a message → the one that it takes instead.
        knows_efforts: whether an effort of reasoning that its price entry denies is unknown to it.
    """

    unknown: frozenset[str]
    silent: frozenset[str]
    is_reasoning: bool
    features: Mapping[str, Any]
    model: str
    provider: str
    drops: bool
    roles: Mapping[str, str] = field(default_factory=dict)
    knows_efforts: bool = False

    def apply(self, body: dict[str, Any]) -> None:
        """Change a request's body to what the deployment takes.

        Raises:
            AttemptFailedError: there is a parameter that it does not take, and drop_params is off.
        """
        found = body.keys() & self.unknown
        if found:
            if "n" in found and body["n"] == 1:  # a default that clients send
                found.discard("n")
                del body["n"]
            self._drop(body, found)
        if self.is_reasoning:
            self._apply_reasoning(body)

    def _drop(self, body: dict[str, Any], names: Iterable[str]) -> None:
        refusable = sorted(set(names) - self.silent)
        if refusable and not self.drops:
            raise refused(
                f"{self.provider} does not support parameters: {refusable}, for model={self.model}."
                " To drop these, set drop_params: true under litellm_settings",
                refusable[0],
                "unsupported_parameter",
            )
        for name in names:
            del body[name]

    def _apply_reasoning(self, body: dict[str, Any]) -> None:
        effort = body.get("reasoning_effort")
        if isinstance(effort, dict) and "effort" in effort:  # the form of /responses
            effort = body["reasoning_effort"] = effort["effort"]
        if self.knows_efforts and isinstance(effort, str) and self._refuses(effort):
            self._drop(body, ["reasoning_effort"])
            effort = None
        if "max_tokens" in body:
            body.setdefault("max_completion_tokens", body.pop("max_tokens"))
        is_off = (
            bool(self.features.get("supports_none_reasoning_effort"))
            and (effort or self.features.get("default_reasoning_effort")) == "none"
        )
        if not is_off:
            sampling = body.keys() & SAMPLING
            if sampling:
                self._drop(body, sampling)
            if body.get("temperature", 1) != 1:
                self._drop(body, ["temperature"])

    def _refuses(self, effort: str) -> bool:
        flag = self.features.get(f"supports_{effort}_reasoning_effort")
        if effort == "max":
            return False
        return flag is not True if effort == "xhigh" else flag is False


def rules_of(deployment: Deployment) -> ParameterRules:
    """Return what a deployment takes of a chat's parameters."""
    parameters, features = deployment.parameters, deployment.features
    family = deployment.model.rpartition("/")[2]
    is_listed = features.get("litellm_provider") == "openai"
    unknown: frozenset[str]
    is_o_series = False
    roles = DEVELOPER_IS_SYSTEM
    is_gpt_5 = ("gpt-5" in family or "gpt-6" in family) and "gpt-5-chat" not in family
    if deployment.provider.startswith("ollama"):
        unknown, is_gpt_5 = frozenset(NOT_OF_OLLAMA), False
    elif is_gpt_5 and "search" in family:
        unknown, is_gpt_5 = NEVER | NOT_OF_SEARCH, True
    elif is_gpt_5:
        unknown = NEVER | NOT_OF_GPT_5
    elif is_listed and _O_SERIES.match(family):
        is_o_series = True
        unknown = NEVER | OF_GPT_5 | NOT_OF_O_SERIES | _missing_features(features)
        roles = {} if features.get("supports_system_messages") is True else {"system": "user"}
    elif is_listed:
        unknown = NEVER | OF_GPT_5 | OF_REASONING_MODELS
        if family == "gpt-4":
            unknown |= {"response_format"}
    else:
        unknown = NEVER | OF_GPT_5 | UNVALIDATED
        if deployment.provider not in ASKED_FOR_EFFORT:
            unknown |= OF_REASONING_MODELS
    unknown = unknown - frozenset(parameters.get("allowed_openai_params") or ())
    dropped = frozenset(
        name for name in parameters.get("additional_drop_params") or () if isinstance(name, str)
    )
    return ParameterRules(
        unknown | dropped,
        UNVALIDATED | dropped,
        is_gpt_5 or is_o_series,
        features,
        deployment.model,
        deployment.provider,
        deployment.drop_params,
        roles,
        is_gpt_5 and "search" not in family,
    )


def embedding_rules_of(deployment: Deployment) -> ParameterRules:
    """Return what a deployment takes of an embedding's parameters (LiteLLM's utils.py:4010)."""
    has_dimensions = (
        deployment.provider.startswith("ollama") or "text-embedding-3" in deployment.model
    )
    unknown = frozenset() if has_dimensions else frozenset({"dimensions"})
    return ParameterRules(
        unknown - frozenset(deployment.parameters.get("allowed_openai_params") or ()),
        frozenset(),
        is_reasoning=False,
        features={},
        model=deployment.model,
        provider=deployment.provider,
        drops=deployment.drop_params,
    )


def rules_for(deployment: Deployment, operation: Operation) -> ParameterRules | None:
    """Return the rules of a kind of call; None when its parameters pass as they are."""
    if operation is Operation.CHAT:
        return rules_of(deployment)
    return embedding_rules_of(deployment) if operation is Operation.EMBEDDING else None


def _missing_features(features: Mapping[str, Any]) -> frozenset[str]:
    by_feature = {
        "supports_function_calling": ("tools", "tool_choice", "function_call", "functions"),
        "supports_parallel_function_calling": ("parallel_tool_calls",),
        "supports_response_schema": ("response_format",),
    }
    return frozenset(
        name
        for feature, names in by_feature.items()
        if features.get(feature) is not True
        for name in names
    )
