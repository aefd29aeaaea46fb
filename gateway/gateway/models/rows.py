"""One row for each deployment, running or left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from gateway import gateway_client
from gateway.config.known_keys import FALLBACKS
from gateway.config.models import GATEWAY, build_models, route_of
from gateway.config.prices import listed
from gateway.evaluations import evaluation_line, judged_aliases, read_results, result_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from gateway.config.deployment import Models
    from gateway.config.render import EffectiveConfig, LeftOut
    from gateway.config.settings import Settings
    from gateway.evaluations import Evaluation

MILLION = 1_000_000
LEFT_OUT = "left out"


@dataclass(frozen=True)
class ListedDeployment:
    """A deployment.

    Attributes:
        alias: the name that requests ask for.
        provider: LiteLLM's name of the provider.
        model: the model as LiteLLM writes it.
        deployment: LiteLLM's id; None for one that is left out.
        price_in: USD for a million tokens of input; None when LiteLLM knows no price.
        price_out: the same of output.
        context: tokens that a request may hold; None when nobody says.
        way: what its requests go through: the gateway, the worker or LiteLLM's proxy; None for one
            that is left out.
        why: the reason for that.
        key: the variable of its key, or `in the file`, or `not needed`.
        key_set: whether it has what it needs.
        reachable: yes, no, key refused, unknown; None when it was not checked.
        condition: up, down, limited, unauthorised, or left out.
        since: when its cooldown began, ISO 8601; None when it is in use.
        reason: why it is not in use, and what to set.
        fallback_of: the aliases that it is a fallback of.
        evaluation: its result in words; None when there is none.
        judged: whether that result matters, because it extracts.
    """

    alias: str
    provider: str
    model: str
    deployment: str | None
    price_in: float | None
    price_out: float | None
    context: int | None
    way: str | None
    why: str | None
    key: str
    key_set: bool
    reachable: str | None
    condition: str
    since: str | None
    reason: str | None
    fallback_of: tuple[str, ...]
    evaluation: str | None
    judged: bool

    @property
    def way_note(self) -> str | None:
        """Which other way than the gateway's own its requests go, and why; None for no other."""
        if self.way in (None, GATEWAY):
            return None
        return f"{self.alias}: by {self.way} ({self.why})"

    @property
    def note(self) -> str | None:
        """What a person has to know of it at once; None while it is in use."""
        if self.since is None:
            return None
        clock = datetime.fromisoformat(self.since).strftime("%H:%M:%S")
        return f"{self.alias} ({self.model}): in cooldown since {clock} UTC: {self.reason}"

    @property
    def evaluation_note(self) -> str | None:
        """What is known of its German; None where that does not matter, or it does not run."""
        if not self.judged or self.deployment is None:
            return None
        return evaluation_line(self.alias, self.model, self.evaluation)


def load_rows(
    settings: Settings, effective: EffectiveConfig, gateway: httpx.Client, *, check: bool
) -> list[ListedDeployment]:
    """Return the rows: those that run, in the configuration's order, then those left out.

    Args:
        settings: of the gateway.
        effective: its configuration.
        gateway: the running one.
        check: whether the health of each is checked, free of cost.

    Raises:
        GatewayAnswerError: the gateway does not answer.
    """
    page = gateway_client.get(
        gateway, "/gateway/deployments", **({"check": "true"} if check else {})
    )
    results = read_results(settings.evaluation_results)
    judged = judged_aliases(effective)
    models = build_models(effective, settings)
    return [
        *(_running(entry, effective, models, results, judged) for entry in page["deployments"]),
        *(_left_out(each, results) for each in effective.left_out),
    ]


def _running(
    entry: Mapping[str, Any],
    effective: EffectiveConfig,
    models: Models,
    results: Sequence[Evaluation],
    judged: Sequence[str],
) -> ListedDeployment:
    alias, model = entry["alias"], entry["model"]
    way, why = route_of(models, alias)
    is_up = entry["condition"] == "up"
    result = result_of(model, results)
    in_file = "in the file" if entry["has_key"] else "not needed"
    return ListedDeployment(
        alias=alias,
        provider=entry["provider"],
        model=model,
        deployment=entry["deployment"],
        price_in=_per_million(entry["input_cost_per_token"]),
        price_out=_per_million(entry["output_cost_per_token"]),
        context=entry.get("context") or entry["max_input_tokens"],
        way=way,
        why=why,
        key=entry["key"] or in_file,
        key_set=True,
        reachable=entry.get("reachable"),
        condition=entry["condition"],
        since=None if is_up else _clock(entry["seconds"] or 0),
        reason=None if is_up else _reason(entry),
        fallback_of=_fallback_of(alias, effective),
        evaluation=str(result) if result else None,
        judged=alias in judged,
    )


def _left_out(left_out: LeftOut, results: Sequence[Evaluation]) -> ListedDeployment:
    result = result_of(left_out.model, results)
    facts = listed(left_out.model)
    return ListedDeployment(
        alias=left_out.alias,
        provider=left_out.model.partition("/")[0],
        model=left_out.model,
        deployment=None,
        price_in=_per_million(facts.get("input_cost_per_token")),
        price_out=_per_million(facts.get("output_cost_per_token")),
        context=facts.get("max_input_tokens"),
        way=None,
        why=None,
        key=left_out.variable,
        key_set=False,
        reachable=None,
        condition=LEFT_OUT,
        since=None,
        reason=f"set {left_out.variable} and start again",
        fallback_of=(),
        evaluation=str(result) if result else None,
        judged=False,
    )


def _reason(entry: Mapping[str, Any]) -> str:
    reason = str(entry["reason"])
    if entry["condition"] == "unauthorised":
        variable = entry["key"] or "its api_key"
        return f"{reason}, the provider refused the key in {variable}; set a valid one and restart"
    return reason


def _fallback_of(alias: str, effective: EffectiveConfig) -> tuple[str, ...]:
    router = effective.config["router_settings"]
    return tuple(
        dict.fromkeys(
            source
            for kind in FALLBACKS
            for chain in router.get(kind) or []
            for source, targets in chain.items()
            if alias in targets
        )
    )


def _per_million(price: float | None) -> float | None:
    return None if price is None else round(price * MILLION, 10)


def _clock(seconds: float) -> str:
    moment = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds")
