"""What an operator sees of the models, on a gateway whose providers are the scripted upstream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from support.scripted import FREE, PRICED, SCRIPTED_PROVIDERS, ledger, play
from support.stack import Stack

LM_STUDIO = "extraction-model-lmstudio"
BACKEND_SECONDS = 6
STALL_SECONDS = 20
"""Of a provider that the backend does not wait for."""

# Runs a command of the gateway in its image, and tells what it cost and whether LiteLLM came in.
WATCHED = """
import json, sys, time
from gateway.__main__ import main
try:
    main()
    code = 0
except SystemExit as end:
    code = end.code
seconds = time.process_time()
print(json.dumps({"code": code, "seconds": seconds, "imported": "litellm" in sys.modules}))
"""


@pytest.fixture(scope="module")
def models_stack() -> Iterator[Stack]:
    """Yield a running gateway and backend; OpenAI, Ollama and LM Studio are the upstream."""
    with Stack(
        SCRIPTED_PROVIDERS
        | {
            "EXTRACTION_FALLBACKS": PRICED,
            "LM_STUDIO_API_BASE": "http://scripted-upstream:9000/u/lm-studio/v1",
            "LITELLM_TIMEOUT": str(BACKEND_SECONDS),
        }
    ) as running:
        running.compose(
            "up", "--detach", "--no-build", "--wait", "backend-stub", "scripted-upstream"
        )
        yield running


@pytest.fixture(autouse=True)
def _all_is_well(models_stack: Stack) -> None:
    """Every test begins with an upstream that answers."""
    play(models_stack, {})


def rows(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return what `./run models --json` prints, by alias."""
    return {row["alias"]: row for row in json.loads(stack.run("models", "--json").stdout)}


def test_models_has_price_context_key_reach_and_use(models_stack: Stack) -> None:
    """A row for each deployment, and one with what to set for each that is left out."""
    before = ledger(models_stack)
    found = rows(models_stack)

    priced = found[PRICED]
    assert (priced["price_in"], priced["price_out"], priced["context"]) == (0.15, 0.6, 128_000)
    assert (priced["key"], priced["key_set"]) == ("OPENAI_API_KEY", True)
    assert (priced["reachable"], priced["condition"]) == ("yes", "up")
    assert priced["fallback_of"] == [FREE]
    assert (priced["way"], priced["why"]) == ("gateway", "OpenAI's protocol")
    assert (found[FREE]["price_in"], found[FREE]["key"]) == (0, "not needed")
    left_out = found["extraction-model-claude"]
    assert (left_out["condition"], left_out["key_set"]) == ("left out", False)
    assert left_out["reason"] == "set ANTHROPIC_API_KEY and start again"
    assert (left_out["price_in"], left_out["price_out"], left_out["context"]) == (1, 5, 200_000)
    assert ledger(models_stack) == before  # nothing that is paid for was asked


def test_the_table_shows_no_key(models_stack: Stack) -> None:
    """People get names of variables, never what is in them."""
    shown = models_stack.run("models").stdout

    assert "OPENAI_API_KEY set" in shown
    assert SCRIPTED_PROVIDERS["OPENAI_API_KEY"] not in shown


def test_the_deployments_page_wants_the_master_key(models_stack: Stack) -> None:
    """The backend's key is refused, and the open /health says nothing of deployments."""
    url = f"{models_stack.gateway_url}/gateway/deployments"
    key = models_stack.secret("backend_virtual_key")

    assert requests.get(url, timeout=10).status_code == 401
    headers = {"Authorization": f"Bearer {key}"}
    assert requests.get(url, headers=headers, timeout=10).status_code == 401
    health = requests.get(f"{models_stack.gateway_url}/health", timeout=10).json()
    assert health.keys() == {"status", "models"}


def test_probe_says_what_it_will_cost_and_calls_each_once(models_stack: Stack) -> None:
    """The calls and their cost are announced; then each deployment is asked for one token."""
    before = ledger(models_stack)["total"]["requests"]
    said = models_stack.run("models", "--probe").stderr

    announced, results = said.split("together")
    assert f"{PRICED} (openai/gpt-4o-mini): 0.00000810 USD" in announced
    assert len(re.findall(r": answered, \d+\.\d\d s$", results, re.MULTILINE)) == 4
    assert ledger(models_stack)["total"]["requests"] - before == 4


def test_ask_streams_an_answer_and_says_who_gave_it(models_stack: Stack) -> None:
    """The answer is on stdout; tokens, cost, seconds, alias and model are one line on stderr."""
    play(models_stack, {"answer": {"text": "Äpfel, Größe: „ß“"}})
    done = models_stack.run("ask", "Was heißt Äpfel?", "--model", PRICED)

    assert done.stdout == "Äpfel, Größe: „ß“\n"
    line = done.stderr.strip().splitlines()[-1]
    number = r"\d+\.\d+"
    assert re.fullmatch(
        rf"\d+ \+ \d+ tokens, 0\.0000\d+ USD, first token {number} s, all {number} s, "
        rf"{PRICED} \(openai/gpt-4o-mini\)",
        line,
    )


@pytest.mark.parametrize("dash", [(), ("-",)])
def test_ask_reads_its_question_from_a_pipe(models_stack: Stack, dash: tuple[str, ...]) -> None:
    """With `-`, or with nothing where something is piped in."""
    assert models_stack.run("ask", *dash, stdin="Grüße?\n").stdout.strip()


def test_ask_ends_with_an_error_that_one_can_read(models_stack: Stack) -> None:
    """A model that does not exist: a sentence, no trace, and an exit code that scripts see."""
    done = models_stack.run("ask", "Hallo", "--model", "nobody", check=False)

    assert done.returncode == 1
    assert "'nobody' is not available" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_an_evaluation_found_is_said(models_stack: Stack) -> None:
    """Not measured at first; after a whole run below the bar, that, with its figures."""
    missing = f"{PRICED} (openai/gpt-4o-mini): german not measured yet"
    assert missing in models_stack.run("status").stdout
    assert missing in models_stack.compose("logs", "--no-log-prefix", "gateway").stdout

    done = models_stack.run("models", "evaluate", PRICED, "--concurrency", "4", check=False)

    assert done.returncode == 1, done.stderr
    below = f"{PRICED} (openai/gpt-4o-mini): german below the bar of the evaluation: recall 0.0"
    assert below in models_stack.run("status").stdout
    assert "below the bar" in rows(models_stack)[PRICED]["evaluation"]


def test_a_refused_key_is_said_in_status(models_stack: Stack) -> None:
    """Which deployment, since when, why, and which variable to set; the provider's key is not."""
    refused = {"name": "refused", "match": {"upstream": "lm-studio"}, "do": {"status": 401}}
    play(models_stack, {"rules": [refused]})
    models_stack.run("ask", "Hallo", "--model", LM_STUDIO, check=False)

    shown = models_stack.run("status").stdout
    assert re.search(
        rf"{LM_STUDIO} \(openai/local-model\): in cooldown since \d\d:\d\d:\d\d UTC: "
        r"unauthorised \(401\), the provider refused the key in ",
        shown,
    )
    assert rows(models_stack)[LM_STUDIO]["condition"] == "unauthorised"


def test_a_slow_gateway_is_a_504_of_the_backend(models_stack: Stack) -> None:
    """After LITELLM_TIMEOUT the caller is told, in the backend's form."""
    play(models_stack, {"rules": [{"name": "slow", "do": {"stall": STALL_SECONDS}}]})
    answer = extract(models_stack)

    assert answer.status_code == 504, answer.text
    assert answer.json()["error"]["code"] == "gateway_timeout"
    assert answer.elapsed.total_seconds() < STALL_SECONDS


def test_a_rate_limit_is_passed_on(models_stack: Stack) -> None:
    """A 429 of every provider reaches the caller, with when to come back."""
    limited = {"name": "limited", "do": {"status": 429, "retry_after": 3}}
    play(models_stack, {"rules": [limited]})
    answer = extract(models_stack)

    assert answer.status_code == 429, answer.text
    assert answer.json()["error"]["code"] == "rate_limited"
    assert 1 <= int(answer.headers["Retry-After"]) <= 3


def extract(stack: Stack) -> requests.Response:
    """Ask the backend for the items of a sentence."""
    return requests.post(
        f"{stack.backend_url}/extract", json={"text": "Der Hund schläft."}, timeout=30
    )


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "EXTRACTION_FALLBACKS",
            "nobody",
            r"'nobody' is not an alias.*\n.*use one of: .*extraction-m",
        ),
        ("EXTRACTION_FALLBACKS", "extraction-model", r"cycle: extraction-model -> extraction-m"),
        ("ROUTING_STRATEGY", "fastest", r"'fastest' cannot be used\n.*'least-busy'"),
        ("REQUEST_TIMEOUT", "soon", r"'soon' cannot be used\n.*valid number"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_wrong_setting_stops_before_litellm_is_imported(
    models_stack: Stack, command: str, variable: str, value: str, said: str
) -> None:
    """In under 2 s of computing, with what was set and what may be; `check` says the same."""
    done = models_stack.compose(
        *("exec", "--no-TTY", "--env", f"{variable}={value}", "gateway"),
        *("python", "-c", WATCHED, command),
    )

    seen = json.loads(done.stdout)
    assert re.search(rf"{variable}: .*{said}", done.stderr), done.stderr
    assert seen["code"] == 2
    assert seen["imported"] is False
    assert seen["seconds"] < 2


def test_a_chain_that_ends_up_empty_is_said(models_stack: Stack) -> None:
    """Without the only fallback's key, `gateway check` says so."""
    shown = models_stack.execute("gateway", "env", "OPENAI_API_KEY=", "gateway", "check")

    assert f"fallback {FREE} -> {PRICED} left out: OPENAI_API_KEY is unset" in shown
    assert f"{FREE} has no fallback" in shown
