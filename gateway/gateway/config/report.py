"""`gateway check`: what a start would do, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.known_keys import FALLBACKS
from gateway.config.models import GATEWAY, build_models, route_of
from gateway.database.url import database_url, redacted

if TYPE_CHECKING:
    from gateway.config.deployment import Models
    from gateway.config.render import EffectiveConfig
    from gateway.config.settings import Settings


def summary(settings: Settings, effective: EffectiveConfig) -> str:
    """Return the models, fallbacks, routing and database that a start would have."""
    router = effective.config["router_settings"]
    models = build_models(effective, settings)
    url = database_url(settings)
    return "\n".join(
        [
            f"{settings.litellm_config} and the environment are fine",
            "",
            "models",
            *(f"  {_model(deployment, models)}" for deployment in effective.config["model_list"]),
            *(f"  {note}" for note in effective.notes),
            "",
            "routing",
            *(f"  {line}" for line in _fallbacks(router)),
            f"  {', '.join(f'{k} {v}' for k, v in router.items() if k not in FALLBACKS)}",
            "",
            f"database: {redacted(url) if url else 'none, so no keys, budgets or spend'}",
        ]
    )


def _model(deployment: dict[str, Any], models: Models) -> str:
    parameters = deployment["litellm_params"]
    alias, base = deployment["model_name"], parameters.get("api_base")
    way, why = route_of(models, alias)
    by = "" if way == GATEWAY else f", by {way} ({why})"
    return f"{alias} = {parameters['model']}{f' at {base}' if base else ''}{by}"


def _fallbacks(router: dict[str, Any]) -> list[str]:
    return [
        f"{alias} falls back to {', '.join(targets)}{'' if kind == 'fallbacks' else f' ({kind})'}"
        for kind in FALLBACKS
        for entry in router.get(kind) or []
        for alias, targets in entry.items()
    ]
