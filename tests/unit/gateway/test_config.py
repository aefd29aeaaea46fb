"""From litellm_config.yaml and the environment to what LiteLLM is started with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.config.document import parse_config, read_config
from gateway.config.problems import ConfigurationError

from .conftest import NAME, SHIPPED, parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.render import EffectiveConfig

    Render = Callable[..., EffectiveConfig]
    Complaint = Callable[..., str]

ALIASES = {
    "extraction-model",
    "explanation-model",
    "extraction-model-openai",
    "explanation-model-gemini",
    "extraction-model-claude",
    "explanation-model-hf",
    "extraction-model-lmstudio",
}
KEYS = {
    "OPENAI_API_KEY": "k",
    "GEMINI_API_KEY": "k",
    "ANTHROPIC_API_KEY": "k",
    "HUGGINGFACE_API_KEY": "k",
    "HUGGINGFACE_COST_PER_1M_TOKENS": "0.2",
}


def line_of(text: str) -> int:
    """Return the line of the shipped file that holds `text`."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_local_models_need_no_variable(rendered: Render) -> None:
    """Without any variable the two app aliases are Ollama's llama3.2 through its chat endpoint."""
    effective = rendered()
    for alias in ("extraction-model", "explanation-model"):
        assert parameters(effective, alias)["model"] == "ollama_chat/llama3.2"
        assert parameters(effective, alias)["api_base"] == "http://localhost:11434"
    assert parameters(effective, "extraction-model-lmstudio")["model"] == "openai/local-model"


def test_deployment_without_key_is_left_out_with_one_line(rendered: Render) -> None:
    """A missing key takes out its deployment and every fallback to it, each said once."""
    effective = rendered()
    assert set(effective.aliases) == {
        "extraction-model",
        "explanation-model",
        "extraction-model-lmstudio",
    }
    assert "extraction-model-openai left out: OPENAI_API_KEY is unset" in effective.notes
    assert "extraction-model has no fallback" in effective.notes
    assert effective.config["router_settings"]["fallbacks"] == []


def test_all_aliases_are_there_when_all_keys_are(rendered: Render) -> None:
    """With every key, every alias is served, falls back as shipped, and nothing is left out."""
    effective = rendered(**KEYS)
    assert set(effective.aliases) == ALIASES
    assert effective.notes == ()
    assert effective.config["router_settings"]["fallbacks"] == [
        {"extraction-model": ["extraction-model-openai"]},
        {"explanation-model": ["explanation-model-gemini"]},
    ]


def test_keys_stay_references(rendered: Render) -> None:
    """What is written to disk names the variable of a key, never the key."""
    effective = rendered(OPENAI_API_KEY="sk-secret")
    assert (
        parameters(effective, "extraction-model-openai")["api_key"] == "os.environ/OPENAI_API_KEY"
    )
    assert "sk-secret" not in str(effective.config)
    assert "sk-secret" not in repr(effective)
    assert effective.variables["OPENAI_API_KEY"] == "sk-secret"


@pytest.mark.parametrize(
    ("variable", "given", "alias", "model"),
    [
        ("OLLAMA_MODEL", "ollama/llama3.2", "extraction-model", "ollama_chat/llama3.2"),
        ("OLLAMA_MODEL", "smollm2:135m", "extraction-model", "ollama_chat/smollm2:135m"),
        ("OLLAMA_MODEL", "ollama_chat/qwen3", "extraction-model", "ollama_chat/qwen3"),
        ("OPENAI_MODEL", "openai/gpt-4o-mini", "extraction-model-openai", "openai/gpt-4o-mini"),
        ("OPENAI_MODEL", "gpt-5-mini", "extraction-model-openai", "openai/gpt-5-mini"),
        (
            "ANTHROPIC_MODEL",
            "anthropic/claude-3-5-haiku-20241022",
            "extraction-model-claude",
            "anthropic/claude-3-5-haiku-20241022",
        ),
        (
            "HUGGINGFACE_MODEL",
            "huggingface/mistralai/Mistral-7B-Instruct-v0.3",
            "explanation-model-hf",
            "openai/mistralai/Mistral-7B-Instruct-v0.3",
        ),
    ],
)
def test_model_may_be_written_with_or_without_provider(
    rendered: Render, variable: str, given: str, alias: str, model: str
) -> None:
    """Bare ids and the ids of the first README are both understood."""
    effective = rendered(**{**KEYS, variable: given, "ALLOW_UNPRICED_MODELS": "true"})
    assert parameters(effective, alias)["model"] == model


def test_a_model_without_a_price_stops_the_start(complaint: Complaint) -> None:
    """Nobody's costs are booked at 0 silently: the line and what to set are named."""
    keys = {"OPENAI_API_KEY": "k", "OPENAI_MODEL": "made-up"}
    message = complaint(**keys)
    assert f"litellm_config.yaml:{line_of('extraction-model-openai')}: no price" in message
    assert "OPENAI_COST_PER_1M_TOKENS" in message
    assert "input_cost_per_token" in message
    assert "ALLOW_UNPRICED_MODELS=true" in message


def test_a_model_without_a_price_can_be_allowed(rendered: Render) -> None:
    """ALLOW_UNPRICED_MODELS lets it start, and the log says what it costs."""
    keys = {"OPENAI_API_KEY": "k", "OPENAI_MODEL": "made-up", "ALLOW_UNPRICED_MODELS": "true"}
    notes = rendered(**keys).notes
    assert "extraction-model-openai: no price of openai/made-up is known, it costs 0" in notes


@pytest.mark.parametrize(
    ("given", "prices"), [("2", (2e-6, 2e-6)), ("0.15,0.6", (0.15e-6, 0.6e-6)), ("0", (0, 0))]
)
def test_a_price_can_be_given_by_a_variable(
    rendered: Render, given: str, prices: tuple[float, float]
) -> None:
    """USD for a million tokens, one number for input and output or one for each."""
    found = parameters(rendered(OLLAMA_COST_PER_1M_TOKENS=given), "extraction-model")
    assert (found["input_cost_per_token"], found["output_cost_per_token"]) == pytest.approx(prices)


@pytest.mark.parametrize("given", ["free", "-1", "1,2,3", "nan", "2000000"])
def test_a_price_that_is_none_is_refused(complaint: Complaint, given: str) -> None:
    """What is no price in USD is said with the variable, once."""
    message = complaint(OLLAMA_COST_PER_1M_TOKENS=given)
    assert message.count("OLLAMA_COST_PER_1M_TOKENS") == 1


def test_base_url_is_taken_from_the_environment_or_left_to_litellm(rendered: Render) -> None:
    """A provider's base URL can be replaced; unset, LiteLLM uses its own."""
    assert "api_base" not in parameters(rendered(**KEYS), "extraction-model-openai")
    effective = rendered(**KEYS, OPENAI_API_BASE="http://vllm:8000/v1/")
    assert parameters(effective, "extraction-model-openai")["api_base"] == "http://vllm:8000/v1"


def test_key_may_come_from_a_file(rendered: Render, tmp_path: Path) -> None:
    """OPENAI_API_KEY_FILE does as well as OPENAI_API_KEY."""
    (tmp_path / "key").write_text("sk-from-file\n", encoding="utf-8")
    effective = rendered(OPENAI_API_KEY_FILE=str(tmp_path / "key"))
    assert "extraction-model-openai" in effective.aliases
    assert effective.variables["OPENAI_API_KEY"] == "sk-from-file"


def test_routing_is_overridden_by_variables(rendered: Render) -> None:
    """Each routing variable replaces its line in the file."""
    effective = rendered(
        ROUTING_STRATEGY="least-busy",
        NUM_RETRIES="0",
        REQUEST_TIMEOUT="2.5",
        ALLOWED_FAILS="7",
        COOLDOWN_TIME="1",
    )
    router = effective.config["router_settings"]
    assert router["routing_strategy"] == "least-busy"
    assert (router["num_retries"], router["timeout"]) == (0, 2.5)
    assert (router["allowed_fails"], router["cooldown_time"]) == (7, 1)


def test_fallbacks_are_replaced_by_variables(rendered: Render) -> None:
    """EXTRACTION_FALLBACKS gives a chain in order, and none takes it away."""
    effective = rendered(
        **KEYS,
        EXTRACTION_FALLBACKS="extraction-model-claude,extraction-model-openai",
        EXPLANATION_FALLBACKS="none",
    )
    assert effective.config["router_settings"]["fallbacks"] == [
        {"extraction-model": ["extraction-model-claude", "extraction-model-openai"]}
    ]


def test_unknown_alias_in_a_variable_names_the_allowed_ones(complaint: Complaint) -> None:
    """A misspelt alias is shown with the variable and the aliases that exist."""
    text = complaint(EXTRACTION_FALLBACKS="extraction-model-opnai")
    assert "EXTRACTION_FALLBACKS: 'extraction-model-opnai' is not an alias" in text
    assert "extraction-model-openai" in text


def test_circle_of_fallbacks_is_shown(complaint: Complaint) -> None:
    """Chains that lead back to their start are refused, also across file and variable."""
    text = complaint(
        EXTRACTION_FALLBACKS="explanation-model", EXPLANATION_FALLBACKS="extraction-model"
    )
    assert "extraction-model -> explanation-model -> extraction-model" in text


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("num_retries: 2 ", "num_retires: 2 ", "num_retries: 2", "'num_retires' is not a key"),
        ("simple-shuffle", "shuffle", "simple-shuffle", "use one of: simple-shuffle, least-busy"),
        ("timeout: 120", "timeout: soon", "timeout: 120", "timeout is 'soon'"),
        (
            "[extraction-model-openai]",
            "[gone]",
            "[extraction-model-openai]",
            "'gone' is not an alias",
        ),
        ("[extraction-model-openai]", "gone", "fallbacks:", "is not a list of"),
        (
            "  drop_params: true",
            "  api_base: http://x",
            "drop_params: true",
            "replace that of every",
        ),
        ("  drop_params: true", "  master_key: x", "drop_params: true", "ignores master_key"),
        (
            "router_settings:",
            "router_setings:",
            "router_settings:",
            "'router_setings' is not a key",
        ),
        ("proxy_batch_write_at: 5", "master_key: sk-1", "proxy_batch", "written into the file"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_by_line(
    complaint: Complaint, old: str, new: str, line: str, words: str
) -> None:
    """Each mistake is reported by file and line, with what may stand there."""
    text = complaint((old, new))
    assert f"{NAME}:{line_of(line)}: " in text
    assert words in text


def test_same_deployment_twice_is_refused(complaint: Complaint) -> None:
    """A deployment pasted twice is a slip; the same alias with another model is load balancing."""
    text = complaint(
        ("  - model_name: explanation-model\n", "  - model_name: extraction-model\n"),
    )
    assert "'extraction-model' is defined here exactly as in" in text


def test_repeated_key_is_refused() -> None:
    """YAML would drop the first of two equal keys silently."""
    with pytest.raises(ConfigurationError, match=r"f.yaml:3: 'a' is set here and in line 1"):
        parse_config(Path("f.yaml"), "a: 1\nb: 2\na: 3\n")


def test_broken_yaml_is_named_by_line() -> None:
    """A syntax error is shown with its line."""
    with pytest.raises(ConfigurationError, match=r"f.yaml:2: is not YAML"):
        parse_config(Path("f.yaml"), "a: [1\nb: 2\n")


def test_folder_in_place_of_the_file_is_explained(tmp_path: Path) -> None:
    """A missing mount, which Docker turns into a folder, is recognised."""
    with pytest.raises(ConfigurationError, match="is a directory; Docker makes one"):
        read_config(tmp_path)
    with pytest.raises(ConfigurationError, match="does not exist"):
        read_config(tmp_path / "gone.yaml")


def test_unset_reference_of_the_users_own_is_named(complaint: Complaint) -> None:
    """A variable that only the user knows, and that is unset, is reported by line."""
    text = complaint(("os.environ/OPENAI_API_BASE", "os.environ/MY_BASE"), OPENAI_API_KEY="k")
    assert f"{NAME}:{line_of('OPENAI_API_BASE')}: MY_BASE is unset" in text


def test_nothing_left_to_serve_stops_the_start(complaint: Complaint) -> None:
    """When every deployment lacks its key, the keys that would help are named."""
    text = complaint(
        ("api_base: os.environ/OLLAMA_API_BASE", "api_key: os.environ/NEEDED_KEY"),
        ("api_key: lm-studio", "api_key: os.environ/OTHER_KEY"),
    )
    assert "no deployment is left" in text
    assert "NEEDED_KEY" in text
