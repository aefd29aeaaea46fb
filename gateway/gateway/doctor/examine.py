"""All checks, in the order in which a person would mend things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.doctor import env_checks, host_checks, model_checks, provider_checks, service_checks

if TYPE_CHECKING:
    from gateway.doctor.facts import Facts
    from gateway.doctor.finding import Check, Finding

CHECKS: tuple[Check, ...] = (
    *host_checks.CHECKS,
    *env_checks.CHECKS,
    *provider_checks.CHECKS,
    *service_checks.CHECKS,
    *model_checks.CHECKS,
)


def examine(facts: Facts) -> list[tuple[str, Finding]]:
    """Return what is wrong: the name of the check, and its finding."""
    return [(check.__name__, finding) for check in CHECKS for finding in check(facts)]
