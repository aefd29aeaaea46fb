"""The facts of a stack on which nothing is wrong, and what the checks find when one thing is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.doctor.examine import examine
from gateway.doctor.facts import Facts
from gateway.doctor.finding import Finding
from gateway.doctor.seen import (
    BUNDLED_OLLAMA,
    Container,
    DeploymentSeen,
    Disk,
    Engine,
    EnvFile,
    ModelStatus,
    Observed,
    OllamaSeen,
    Port,
    Service,
)

GIB = 1024**3
IMAGES = {name: f"litellm-proxy-service/{name}:0.1.0" for name in ("backend-stub", "gateway")}
IMAGES |= {"litellm": IMAGES["gateway"]}
IMAGES |= {name: f"litellm-proxy-service/{name}:0.1.0" for name in ("ollama", "postgres")}
ENVIRONMENTS = {
    "backend-stub": {
        "LITELLM_EXTRACTION_MODEL": "extraction-model",
        "LITELLM_EXPLANATION_MODEL": "explanation-model",
        "LITELLM_TIMEOUT": "120",
    },
    "gateway": {
        "OLLAMA_MODEL": "llama3.2",
        "OLLAMA_API_BASE": BUNDLED_OLLAMA,
        "LM_STUDIO_API_BASE": "http://host.docker.internal:1234/v1",
        "OPENAI_API_KEY": "sk-proj-abcdefgh",
        "OPENAI_API_BASE": "",
        "ANTHROPIC_API_KEY": "",
    },
    "litellm": {},
    "ollama": {"OLLAMA_MODEL": "llama3.2"},
    "postgres": {},
}
OLLAMA = OllamaSeen(
    BUNDLED_OLLAMA,
    models={"llama3.2:latest": 2 * GIB},
    loaded=("llama3.2:latest",),
    version="0.17.4",
    speed=20.0,
)
OPENAI = DeploymentSeen(
    "extraction-model-openai", "openai", "openai/gpt-4o-mini",
    key="OPENAI_API_KEY", base="https://api.openai.com/v1", reachable="yes", condition="up",
)  # fmt: skip
OBSERVED = Observed(
    aliases=("extraction-model", "explanation-model", "extraction-model-openai"),
    fallbacks={"extraction-model": ("extraction-model-openai",)},
    deployments=(
        DeploymentSeen("extraction-model", "ollama_chat", "ollama_chat/llama3.2", reachable="yes"),
        DeploymentSeen("explanation-model", "ollama_chat", "ollama_chat/llama3.2", reachable="yes"),
        OPENAI,
        DeploymentSeen(
            "extraction-model-claude", "anthropic", "anthropic/claude-haiku-4-5",
            key="ANTHROPIC_API_KEY", condition="left out",
        ),
        DeploymentSeen(
            "extraction-model-lmstudio", "openai", "openai/local-model", key="in the file",
            base="http://host.docker.internal:1234/v1", reachable="no", condition="down",
        ),
    ),
    ollamas=(OLLAMA,),
    timeout=120.0,
    clock_offset=0.4,
)  # fmt: skip
HEALTHY = Facts(
    now=1_000_000.0,
    known=("OPENAI_API_KEY", "OLLAMA_MODEL", "LITELLM_PORT", "DATABASE_URL", "REQUEST_TIMEOUT"),
    exported={"OLLAMA_MODEL": "llama3.2"},
    env_files=(
        EnvFile(".env", 0o600, "# mine\nOLLAMA_MODEL='llama3.2'\nLITELLM_PORT=4000\n"),
    ),
    ports=(
        Port("LITELLM_PORT", 4000, containers=("litellm-proxy-gateway-1",)),
        Port("BACKEND_PORT", 8000, containers=("litellm-proxy-backend-stub-1",)),
    ),
    disks=(Disk("this folder", "/", 200 * GIB, 50 * GIB),),
    modes={"litellm/litellm_config.yaml": 0o644, "/var/run/docker.sock": 0o660},
    engine=Engine(version="26.1.5", compose="2.26.1-4", memory=16 * GIB, clock=1_000_001.0),
    services={
        name: Service(image, ENVIRONMENTS[name], 8 * GIB if name == "ollama" else None)
        for name, image in IMAGES.items()
    },
    containers=tuple(
        Container(name, f"litellm-proxy-{name}-1", image, "running", health="healthy",
                  environment=ENVIRONMENTS[name] | {"PATH": "/bin"})
        for name, image in IMAGES.items()
    ),
    model_status=ModelStatus("ready", "llama3.2"),
    cluster="17",
    postgres="17.12",
    free_memory=4 * GIB,
    observed=OBSERVED,
)  # fmt: skip


def only(check: str, facts: Facts) -> Finding:
    """Return the one finding there is, which has to be this check's."""
    found = examine(facts)
    assert [name for name, _ in found] == [check], found
    return found[0][1]


def env(text: str, **changes: Any) -> Facts:
    """Return healthy facts with another .env, for this user's eyes only."""
    return replace(HEALTHY, env_files=(EnvFile(".env", 0o600, text),), **changes)


def seen(**changes: Any) -> Facts:
    """Return healthy facts with something else seen from inside."""
    return replace(HEALTHY, observed=replace(OBSERVED, **changes))


def given(service: str, **variables: str) -> Facts:
    """Return healthy facts in which a service was started with other variables."""
    services = dict(HEALTHY.services)
    environment = {**services[service].environment, **variables}
    services[service] = replace(services[service], environment=environment)
    return container(replace(HEALTHY, services=services), service, environment=environment)


def container(facts: Facts, service: str, **changes: Any) -> Facts:
    """Return facts in which one container is different."""
    changed = tuple(
        replace(each, **changes) if each.service == service else each for each in facts.containers
    )
    return replace(facts, containers=changed)


def without(*services: str) -> Facts:
    """Return healthy facts without the containers of these services."""
    kept = tuple(each for each in HEALTHY.containers if each.service not in services)
    return replace(HEALTHY, containers=kept, ports=())
