"""The cells of the fault matrix: which deployments each needs, and what came of a request to it.

Every round of a cell has deployments of its own, with a base URL and a key of their own, so that no
round finds a deployment that another has put in cooldown, and the scripted upstream's ledger tells
by the key who was asked how often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from support.long import rounds

UPSTREAM = "http://scripted-upstream"
TOKENS = {"input_tokens": 100, "output_tokens": 20}
MODEL = "openai/gpt-4o-mini"

# What the scripted upstream does to a call; a fault without an entry is a matter of the address.
ACTIONS: dict[str, dict[str, Any]] = {
    "reset": {"reset": True},
    "500": {"error": "server_error", "status": 500},
    "503": {"error": "unavailable", "status": 503},
    "429": {"error": "rate_limit", "status": 429, "retry_after": 30},
    "401": {"error": "unauthorized"},
    "slow": {"stall": 60},
    "cut": {"cut_after": 3},
    "badjson": {"bad_json": "truncated"},
}
PORTS = {"refused": 9, "blackhole": 9001}
FAULTS = ("refused", "blackhole", *ACTIONS)
CHAINS = ("alone", "backed", "down")
"""Primary only; primary and a healthy fallback; primary and a fallback with the same fault."""
ROUNDS = rounds(2, long=20)


@dataclass(frozen=True)
class Cell:
    """One place of the matrix."""

    fault: str
    chain: str
    stream: bool

    def alias(self, round_number: int) -> str:
        """Return the name that a round's request asks for."""
        mode = "stream" if self.stream else "plain"
        return f"{self.fault}-{self.chain}-{mode}-{round_number}"


CELLS = [
    Cell(fault, chain, stream) for fault in FAULTS for chain in CHAINS for stream in (False, True)
]


def key_of(alias: str, fault: str) -> str:
    """Return the made-up key of an alias's deployment; the script's rules look at its beginning."""
    return f"sk-{fault}-{alias}"


def configuration(rounds: range) -> dict[str, Any]:
    """Return the litellm_config.yaml that has these rounds of every cell."""
    models: list[dict[str, Any]] = []
    fallbacks: list[dict[str, list[str]]] = []

    def deployment(alias: str, fault: str) -> None:
        port = PORTS.get(fault, 9000)
        parameters = {
            "model": MODEL,
            "api_base": f"{UPSTREAM}:{port}/u/{alias}/v1",
            "api_key": key_of(alias, fault),
        }
        models.append({"model_name": alias, "litellm_params": parameters})

    for cell in CELLS:
        for round_number in rounds:
            alias = cell.alias(round_number)
            deployment(alias, cell.fault)
            if cell.chain != "alone":
                second = f"{alias}-second"
                deployment(second, "well" if cell.chain == "backed" else cell.fault)
                fallbacks.append({alias: [second]})
    for number in rounds:
        deployment(Cell("well", "alone", stream=False).alias(number), "well")
    return {"model_list": models, "router_settings": {"fallbacks": fallbacks}}


def script() -> dict[str, Any]:
    """Return the scripted upstream's script: a rule for each fault, by the key."""
    rules = [
        {"name": fault, "match": {"key": f"^sk-{fault}-"}, "do": action}
        for fault, action in ACTIONS.items()
    ]
    return {"answer": TOKENS, "rules": rules}
