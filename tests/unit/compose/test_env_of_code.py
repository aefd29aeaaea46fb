"""What the code reads from its environment is in .env.example, and the other way round.

test_env_example.py holds .env.example against the compose files; this holds it against the settings
of each service and the shell scripts, so that no knob is known to its author alone.
"""

from __future__ import annotations

import re

import backend_stub.settings
import gateway.config.settings
import model_server.settings
from gateway.config.prices import WORD
from gateway.config.providers import BASE_VARIABLES, MODEL_VARIABLES, PROVIDERS
from support.stack import REPOSITORY

EXAMPLE = (REPOSITORY / ".env.example").read_text()
NAMES = (
    gateway.config.settings.Settings.__dataclass_fields__,
    backend_stub.settings.Settings.model_fields,
    model_server.settings.Settings.model_fields,
)
SHELL = ("run", "commands/*.sh", "bootstrap/*.sh", "postgres/*.sh")
PYTHON = (
    *("gateway/gateway/**/*.py", "backend-stub/backend_stub/**/*.py", "ollama/model_server/*.py"),
    "scripted-upstream/scripted_upstream/**/*.py",
)

IN_CONTAINER = (
    "where something lies or listens inside a container; the image or compose file sets it"
)
NATIVE = "for a start without containers; in the stack its default is right"
SYSTEM = "the system's or another program's own"
EXCEPTIONS = {
    **dict.fromkeys(
        (
            *("HOST", "PORT", "DB_HOST", "DB_NAME", "DB_PORT", "DB_USER", "LITELLM_BASE_URL"),
            *("GATEWAY_DB_NAME", "GATEWAY_DB_USER", "GATEWAY_STATE_DIR", "EVALUATION_RESULTS"),
            *("JOURNAL_DIR", "MODEL_SERVER_STATE", "OLLAMA_GGUF_DIR", "OLLAMA_HOST"),
            *("OLLAMA_MODELS", "PGDATA", "PGPORT", "POSTGRES_CONFIG_DIR", "PRISMA_ENGINE_DIR"),
            *("SECRETS_DIR", "SECRETS_MOUNT", "SCRIPT", "POSTGRES_EXTERNAL", "LITELLM_API_KEY"),
            *("LITELLM_PROXY_URL", "INTERNAL_HOST", "INTERNAL_PORT", "GATEWAY_INTERNAL_URL"),
            *("GATEWAY_IDENTITY_SECRET", "GATEWAY_INTERNAL_KEY"),
        ),
        IN_CONTAINER,
    ),
    **dict.fromkeys(
        (
            *("DB_WAIT", "GATEWAY_PUBLIC_URL", "GRACEFUL_SHUTDOWN_TIMEOUT"),
            *("LITELLM_CONFIG", "LOG_LEVEL", "METRICS_PORT"),
        ),
        NATIVE,
    ),
    **dict.fromkeys(
        (
            *("COMPOSE_ENV_FILES", "COMPOSE_PROJECT_NAME", "DOCKER_HOST"),
            *("DOCKER_CONFIG", "HOME", "ID", "NAME", "VERSION_CODENAME", "XDG_CACHE_HOME"),
            *("MAX_STRING_LENGTH_PROMPT_IN_DB", "PYTHONPATH", "XDG_RUNTIME_DIR"),
        ),
        SYSTEM,
    ),
    "DEBIAN_MIRROR": "of bootstrap, which runs before compose reads .env; bootstrap/README.md",
    "STACK_VERSION": "the release's, no knob",
}
"""Variables that the code reads and .env.example leaves out, each with its reason."""

BY_COMPOSE = {
    **dict.fromkeys(("BACKEND_PORT", "LITELLM_PORT", "OLLAMA_PORT", "POSTGRES_PORT"), "published"),
    **dict.fromkeys(("COMPOSE_FILE", "COMPOSE_PROFILES"), "compose's own"),
    **dict.fromkeys(("HTTPS_PROXY", "NO_PROXY", "OLLAMA_NO_CLOUD"), "Ollama itself reads it"),
    **dict.fromkeys(
        (
            "GATEWAY_MEMORY",
            "LITELLM_CPU_SHARES",
            "OLLAMA_CPU_SHARES",
            "OLLAMA_GPUS",
            "OLLAMA_MEMORY",
            "OLLAMA_RUNTIME",
        ),
        "the container's limits",
    ),
    "OTEL_RESOURCE_ATTRIBUTES": "OpenTelemetry itself reads it",
    **dict.fromkeys(
        ("SWARM_PORT", "SWARM_REGISTRY", "SWARM_ENDPOINT_MODE"), "docker-compose.swarm.yml"
    ),
    "SWARM_OVERRIDE": "commands/swarm.sh, by its name",
    "OLLAMA_REPLICAS": "how many containers there are",
    "UPSTREAM_SCRIPT": "the upstream's SCRIPT",
    **dict.fromkeys(("PROMETHEUS_PORT", "GRAFANA_PORT"), "published"),
    **dict.fromkeys(("PROMETHEUS_RETENTION", "PROMETHEUS_RETENTION_SIZE"), "Prometheus' own flags"),
}
"""Variables of .env.example that no code of ours reads, and who does."""


def found(pattern: str, *globs: str) -> set[str]:
    """Return what a pattern finds in files of the repository."""
    text = "\n".join(path.read_text() for glob in globs for path in REPOSITORY.glob(glob))
    return set(re.findall(pattern, text))


def read_by_code() -> set[str]:
    """Return each variable that a service or a script reads."""
    fields = {name.upper() for names in NAMES for name in names}
    references = found(r"os\.environ/([A-Z_]+)", "litellm/litellm_config.yaml")
    direct = found(r"""environ(?:\.get\(|\[)["']([A-Z_]+)["']""", *PYTHON)
    constants = found(r"""_VARIABLE = "([A-Z_]+)""", *PYTHON)
    secrets = found(r"""Secret\(\s*"([A-Z_]+)""", "gateway/gateway/secret_store.py")
    evaluation = found(r"EVALUATION_MIN_[A-Z_]+", "docker-compose.yml")
    shell = found(r"\$\{([A-Z][A-Z_]+)[:+=-]", *SHELL)
    prices = {f"{provider.name}{WORD}" for provider in PROVIDERS}
    providers = {*MODEL_VARIABLES, *BASE_VARIABLES, *prices}
    return fields | references | direct | constants | secrets | evaluation | shell | providers


def described() -> set[str]:
    """Return each variable of .env.example."""
    return set(re.findall(r"^#(\w+)=", EXAMPLE, re.MULTILINE))


def test_what_the_code_reads_is_described_or_has_a_reason_not_to() -> None:
    """A setting that nobody documents fails here."""
    assert not read_by_code() - described() - EXCEPTIONS.keys()


def test_what_is_described_is_read_by_somebody() -> None:
    """A variable that .env.example promises does something; VAR_FILE goes with its VAR."""
    promised = {name.removesuffix("_FILE") for name in described() - BY_COMPOSE.keys()}
    assert not promised - read_by_code()


def test_no_exception_is_out_of_date() -> None:
    """Each exception is still read, and still left out; each of compose's still described."""
    assert set(EXCEPTIONS) <= read_by_code() - described()
    assert set(BY_COMPOSE) <= described() - read_by_code()
