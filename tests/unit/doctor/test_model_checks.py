"""What is found about Ollama and its model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.doctor.examine import examine
from gateway.doctor.seen import ModelStatus, Service
from unit.doctor.healthy import (
    GIB,
    HEALTHY,
    OBSERVED,
    OLLAMA,
    container,
    given,
    only,
    seen,
)

ELSEWHERE = "http://gpu.example.org:11434"


def test_an_ollama_that_does_not_answer_is_found() -> None:
    """Another Ollama than the bundled one that is down is reported with its address."""
    facts = given("gateway", OLLAMA_API_BASE=ELSEWHERE)
    silent = replace(OLLAMA, url=ELSEWHERE, error="connection refused")
    finding = only("ollama_answers", replace(facts, observed=replace(OBSERVED, ollamas=(silent,))))

    assert ELSEWHERE in finding.evidence


def test_a_local_model_that_is_asked_and_left_out_is_found() -> None:
    """OLLAMA_REPLICAS=0 with aliases that still want Ollama is a contradiction."""
    services = {**HEALTHY.services, "ollama": Service("x", replicas=0)}
    kept = tuple(each for each in HEALTHY.containers if each.service != "ollama")
    finding = only("ollama_answers", replace(HEALTHY, services=services, containers=kept))

    assert "OLLAMA_REPLICAS=0" in finding.evidence


@pytest.mark.parametrize(
    ("given_name", "meant"), [("lama3.2", "llama3.2"), ("gema3:4b", "gemma3:4b")]
)
def test_a_misspelt_model_is_offered_the_nearest(given_name: str, meant: str) -> None:
    """The bundled server failed to pull; a name at hand or of the library is offered."""
    status = ModelStatus("failed", given_name, "no such model", "set OLLAMA_MODEL")
    facts = container(replace(HEALTHY, model_status=status), "ollama", health="unhealthy")
    finding = only("model_present", facts)

    assert f"OLLAMA_MODEL={meant} " in finding.fix
    assert finding.evidence == "no such model"
    assert finding.repair
    assert (finding.repair.action, finding.repair.target) == ("restart", "ollama")


def test_a_right_name_that_could_not_be_pulled_is_not_offered_itself() -> None:
    """What the model server says to do is all that is said."""
    status = ModelStatus("failed", "llama3.2", "the library is out of reach", "set OLLAMA_REGISTRY")
    facts = replace(HEALTHY, model_status=status, observed=replace(OBSERVED, ollamas=()))

    assert only("model_present", facts).fix == "set OLLAMA_REGISTRY"


def test_a_model_that_another_ollama_has_not_is_found() -> None:
    """What to pull there is said, and the nearest that it has."""
    facts = given("gateway", OLLAMA_API_BASE=ELSEWHERE, OLLAMA_MODEL="llama3.3")
    there = (replace(OLLAMA, url=ELSEWHERE, loaded=(), speed=None),)
    observed = replace(OBSERVED, ollamas=there)
    finding = only("model_present", replace(facts, observed=observed))

    assert finding.fix == "ollama pull llama3.3; or OLLAMA_MODEL=llama3.2 in .env"


def model(name: str, *, limit: int = 8, free: int = 4, size: int | None = None) -> object:
    """Return healthy facts with another model, of which nothing is in memory yet."""
    facts = given("gateway", OLLAMA_MODEL=name)
    sizes = {f"{name}" if ":" in name else f"{name}:latest": size} if size else {}
    ollama = replace(facts.services["ollama"], memory=limit * GIB)
    return replace(
        facts,
        services={**facts.services, "ollama": ollama},
        free_memory=free * GIB,
        observed=replace(OBSERVED, ollamas=(replace(OLLAMA, models=sizes, loaded=(), speed=None),)),
    )


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        (model("llama3.1:70b"), "this machine's memory is too small"),
        (model("mistral-small", size=9 * GIB), "OLLAMA_MEMORY is too small"),
        (model("phi4", size=5 * GIB), "too little memory is free"),
    ],
)
def test_a_model_that_does_not_fit_is_found(facts: object, what: str) -> None:
    """Too large for the machine, for the limit, or for what is free, from its size or its name."""
    assert only("model_fits", facts).what.startswith(what)  # type: ignore[arg-type]


def test_the_limit_to_set_is_enough() -> None:
    """The fix names a limit that the model fits into."""
    facts = model("mistral-small", size=9 * GIB)

    assert "OLLAMA_MEMORY=11g" in only("model_fits", facts).fix  # type: ignore[arg-type]


def test_the_model_that_up_chose_is_the_one_that_is_judged() -> None:
    """The embedded model runs though .env names another: that other one is not measured."""
    environment = {"OLLAMA_MODEL": "smollm2:135m"}

    assert container(HEALTHY, "gateway", environment=environment).model == "smollm2:135m"
    assert HEALTHY.model == "llama3.2"


def test_a_model_in_memory_fits() -> None:
    """What is loaded has its memory already, however little is free."""
    assert examine(replace(HEALTHY, free_memory=GIB // 2)) == []


def test_a_model_too_slow_for_the_timeout_is_found() -> None:
    """At 2 tokens a second, 300 take longer than both timeouts: each is named with a value."""
    finding = only("answers_in_time", seen(ollamas=(replace(OLLAMA, speed=2.0),)))

    assert "150 s" in finding.evidence
    assert "REQUEST_TIMEOUT=225 and LITELLM_TIMEOUT=225" in finding.fix


def test_one_small_timeout_is_named_alone() -> None:
    """A REQUEST_TIMEOUT of 10 s is too small for 20 tokens a second."""
    assert "REQUEST_TIMEOUT=22 in .env" in only("answers_in_time", seen(timeout=10.0)).fix


def test_an_ollama_that_cuts_long_prompts_is_found() -> None:
    """A version that does not know `truncate: false` is reported; a newer or unknown one is not."""
    old = replace(OLLAMA, version="0.12.5")
    finding = only("long_prompts_are_refused", seen(ollamas=(old,)))

    assert "0.12.5" in finding.evidence
    assert "0.12.6" in finding.fix
    for version in ("0.12.6", "0.13.0-rc1", ""):
        assert examine(seen(ollamas=(replace(OLLAMA, version=version),))) == []
