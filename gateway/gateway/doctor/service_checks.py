"""Checks of the stack's containers: do they run, on which settings, on whose data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.doctor.finding import Finding
from gateway.doctor.seen import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.doctor.facts import Facts
    from gateway.doctor.seen import Container

LONG_RUNNING = ("backend-stub", "gateway", "litellm", "ollama", "postgres")
INIT_JOBS = ("secrets", "migrate")
SETTINGS_OF = ("backend-stub", "gateway", "ollama")
"""The services whose settings people change; the passwords of the others are in volumes."""

WHAT_TO_DO = {
    "gateway": "./run logs gateway; ./run check says what is set wrong",
    "migrate": "./run logs migrate; once mended: ./run up",
    "postgres": "./run logs postgres",
    "secrets": "correct what it names in .env, then ./run up",
}


def stack_runs(facts: Facts) -> Iterator[Finding]:
    """Find services that do not run."""
    if facts.engine.version is None:
        return
    wanted = [name for name in LONG_RUNNING if name != "ollama" or facts.wants_bundled_ollama]
    absent = [name for name in wanted if not facts.runs(name)]
    if absent == wanted:
        yield Finding(
            "the stack is not running",
            f"none of {', '.join(wanted)} has a running container",
            "./run up",
        )
        return
    for name in absent:
        if facts.container(name) is None:
            yield Finding(f"{name} is not running", "it has no container", "./run up")


def services_healthy(facts: Facts) -> Iterator[Finding]:
    """Find a container that ended with an error, keeps restarting, or is unhealthy."""
    is_starting = any(each.runs and each.health == "starting" for each in facts.containers)
    is_up = any(facts.runs(name) for name in LONG_RUNNING) and not is_starting
    for name in (*LONG_RUNNING, *INIT_JOBS):
        container = facts.container(name)
        if container is None or (name == "ollama" and _model_is_told(facts)):
            continue
        trouble = _trouble(container, is_up=is_up)
        if trouble:
            yield Finding(
                f"{name} {trouble}",
                container.reason or container.log or "it said nothing",
                WHAT_TO_DO.get(name, f"./run logs {name}; ./run up"),
            )


def memory_limits(facts: Facts) -> Iterator[Finding]:
    """Find a container that the kernel ended because its memory limit was too small."""
    for container in facts.containers:
        if container.out_of_memory:
            fix = (
                "raise OLLAMA_MEMORY in .env, or take a smaller OLLAMA_MODEL; then ./run up"
                if container.service == "ollama"
                else f"raise mem_limit of {container.service} in docker-compose.yml; then ./run up"
            )
            yield Finding(
                f"{container.service} ran out of memory",
                f"the kernel ended a process in {container.name} at its memory limit",
                fix,
            )


def settings_are_used(facts: Facts) -> Iterator[Finding]:
    """Find a running service that was started before .env was changed."""
    for name in SETTINGS_OF:
        container, service = facts.container(name), facts.services.get(name)
        if container is None or not container.runs or service is None:
            continue
        if container.image != service.image:
            yield Finding(
                f"{name} runs another version",
                f"{container.image} runs, {service.image} is what would be started",
                "./run upgrade, which goes back by itself if it fails",
            )
        changed = [
            variable
            for variable, value in service.environment.items()
            if container.environment.get(variable, "") != value
            and not _is_embedded_model(variable, container)
        ]
        if changed:
            yield Finding(
                f"{name} runs with other settings than .env and the shell have now",
                f"changed since its start: {', '.join(sorted(changed))}",
                "./run up",
            )


def volume_of_this_version(facts: Facts) -> Iterator[Finding]:
    """Find a database volume that another major version of PostgreSQL made."""
    if facts.cluster and facts.postgres and _major(facts.cluster) != _major(facts.postgres):
        yield Finding(
            "the database volume was made by another version of PostgreSQL",
            f"its files are of version {_major(facts.cluster)}, the image has {facts.postgres}",
            "./run backup with the version that made it, then ./run destroy, ./run up and "
            "./run restore FILE --replace with this one; or use a project of another name: "
            "COMPOSE_PROJECT_NAME in .env",
        )


CHECKS = (
    stack_runs,
    services_healthy,
    memory_limits,
    settings_are_used,
    volume_of_this_version,
)


def _trouble(container: Container, *, is_up: bool) -> str | None:
    """Return what is wrong with a container; `is_up`: the others run, so it should run too."""
    if container.state == "restarting":
        return f"starts again and again (exit code {container.exit_code})"
    if container.state == "running":
        return "is unhealthy" if container.health == "unhealthy" else None
    failed = container.exit_code not in (0, 130, 137, 143)
    if container.state == "exited" and failed:
        return f"ended with exit code {container.exit_code}"
    if is_up and container.service in LONG_RUNNING:
        return f"does not run: its container is {container.state}"
    return None


def _model_is_told(facts: Facts) -> bool:
    """Return whether the check of the model reports it, in more detail."""
    return facts.model_status is not None and facts.model_status.state == "failed"


def _is_embedded_model(variable: str, container: Container) -> bool:
    """Return whether `./run up` set the embedded model, where no library can be reached."""
    return variable == "OLLAMA_MODEL" and container.environment.get(variable) == EMBEDDED_MODEL


def _major(version: str) -> str:
    return version.partition(".")[0]
