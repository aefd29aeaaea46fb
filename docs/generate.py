"""Writes docs/reference/*.md from what the stack itself reads: `./run docs`.

prices.md from LiteLLM's price list, environment.md from .env.example, services.md from the compose
file as compose renders it, litellm.md and database.md from the gateway's own lists. A unit test
compares the files with what this would write.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "gateway"))

from gateway.access import litellm_only as litellm_only_of_keys
from gateway.access.columns import TABLES
from gateway.config.litellm_only import RULES
from gateway.config.prices import TOKENS, listed
from gateway.config.providers import PROVIDERS
from gateway.http.validation.controls import LITELLM_ONLY
from gateway.jobs import backend_key, budget_resets, retention
from gateway.journal import tables as journal_tables
from gateway.proxy.routes import ROUTES, Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY = Path(__file__).resolve().parents[1]
REFERENCE = REPOSITORY / "docs/reference"
REQUEST = (550, 60)
"""Tokens in and out of an /extract of one sentence, as measured with the README's example."""


UNLISTED = {
    "OLLAMA": "0, local",
    "LM_STUDIO": "0, local",
    "HUGGINGFACE": "each provider behind it has its own",
}


def prices() -> str:
    """Return the page of what each provider's default model costs, without its date."""
    rows = []
    for provider in PROVIDERS:
        entry = listed(provider.model_id(None))
        row = [provider.name, f"`{provider.name}_MODEL={provider.model}`"]
        rows.append(row + (_priced(entry) if entry else [UNLISTED[provider.name], *[""] * 4]))
    table = _table(
        ["provider", "default", "USD for 1M in", "cached", "out", "context (tokens)",
         "USD for 1,000 /extract"],
        rows,
    )  # fmt: skip
    return f"""# What the default models cost

From the price list of LiteLLM {version("litellm")}, the one that the gateway charges by. An
`/extract` of one sentence is taken as {REQUEST[0]} tokens in and {REQUEST[1]} out. Local models
(Ollama, LM Studio) cost 0 unless `OLLAMA_COST_PER_1M_TOKENS` or `LM_STUDIO_COST_PER_1M_TOKENS` says
otherwise; a model that is not in the list needs a price of its own, see
[environment.md](environment.md). `./run models` shows what is in force.

{table}
"""


def _priced(entry: Mapping[str, Any]) -> list[str]:
    given, taken = entry["input_cost_per_token"], entry["output_cost_per_token"]
    cached = entry.get("cache_read_input_token_cost")
    context = entry.get("max_input_tokens") or 0
    request = (REQUEST[0] * given + REQUEST[1] * taken) * 1000
    per_million = [None if price is None else price * TOKENS for price in (given, cached, taken)]
    shown = ["" if price is None else f"{price:.4g}" for price in per_million]
    return [*shown, f"{context:,}", f"{request:.2f}"]


VARIABLES = """# Every variable of the stack

Set in `.env` or in the shell; the shell wins, an empty value counts as unset. Where a line has no
words of its own, the ones above it are about it too. `.env.example` is the same to copy from."""


def environment() -> str:
    """Return the page of every variable, in the order and words of .env.example."""
    lines = (REPOSITORY / ".env.example").read_text(encoding="utf-8").splitlines()
    parts = [VARIABLES]
    for title, rows in _sections(lines):
        parts.append(f"## {title}\n\n{_table(['variable', 'default or example', 'what'], rows)}")
    return "\n\n".join(parts) + "\n"


def _sections(lines: list[str]) -> Iterator[tuple[str, list[list[str]]]]:
    title = ""
    rows: list[list[str]] = []
    words: list[str] = []
    for line in lines:
        if heading := re.fullmatch(r"# --- (.+?) -+", line):
            if rows:
                yield title, rows
            title, rows, words = heading[1], [], []
        elif variable := re.fullmatch(r"#(\w+)=(.*)", line):
            shown = f"`{variable[2]}`" if variable[2] else ""
            rows.append([f"`{variable[1]}`", shown, " ".join(words)])
            words = []
        elif line.startswith("# "):
            words.append(line.removeprefix("# "))
    yield title, rows


def services() -> str:
    """Return the page of what each service may do, from the compose file as compose renders it."""
    done = subprocess.run(
        ["docker", "compose", "--profile", "*", "config", "--format", "json"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "COMPOSE_ENV_FILES": "/dev/null"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    rows = [[f"`{name}`", *_policy(service)] for name, service in sorted(found.items())]
    headers = ["service", "image", "published", "networks", "writes to", "reads", "memory", "stop"]
    return f"""# What each service may do

All of them: a read-only root file system, no capabilities, no new privileges, an unprivileged
user, rotated logs. The rest, with the defaults of `.env.example`:

{_table(headers, rows)}
"""


def _policy(service: dict[str, Any]) -> list[str]:
    volumes = [each for each in service.get("volumes", []) if each["type"] == "volume"]
    writes = [each["source"] for each in volumes if not each.get("read_only")]
    reads = [each["source"] for each in volumes if each.get("read_only")]
    ports = [f"{each['host_ip']}:{each['published']}" for each in service.get("ports", [])]
    return [
        service["image"].split("/")[-1],
        ", ".join(ports) or "nothing",
        ", ".join(sorted(service.get("networks") or {})) or "none",
        ", ".join(writes) or "nothing",
        ", ".join(reads),
        f"{int(service['mem_limit']) >> 20} MiB",
        service.get("stop_grace_period", "10s"),
    ]


def litellm() -> str:
    """Return the page of what LiteLLM's proxy answers, what the gateway does, and what nobody."""
    settings = [
        [f"`{section or 'top level'}`", f"`{name}`", why]
        for section, rules in RULES.items()
        for name, why in rules.items()
    ]
    keys = [
        [", ".join(rule.rows), f"`{rule.field}`", rule.why]
        for rule in (*litellm_only_of_keys.COLUMNS, *litellm_only_of_keys.METADATA)
    ]
    fields = [[f"`{name}`", why] for name, why in LITELLM_ONLY.items()]
    return f"""# What LiteLLM's proxy answers

The gateway answers what is in the first table by itself. A request goes to LiteLLM's proxy when its
path, a setting, its key or one of its fields asks for something that only that does. What is in no
table is refused.

## Paths of the gateway's own

{_table(["path", "methods", "why"], _routes(Action.NATIVE))}

## Paths that are handed to LiteLLM

{_table(["path", "methods", "why"], _routes(Action.FORWARDED))}

## Paths that are refused

{_table(["path", "methods", "why"], _routes(Action.REFUSED))}

## Settings of litellm_config.yaml that send every request to LiteLLM

{_table(["section", "setting", "why"], settings)}

## Settings of a key, team, user or organisation that send its requests to LiteLLM

{_table(["whose", "field", "why"], keys)}

## Fields of a request that send it to LiteLLM

{_table(["field", "why"], fields)}
"""


def _routes(action: Action) -> list[list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for route in ROUTES:
        if route.action is action:
            group = found.setdefault((" ".join(route.methods) or "all", route.reason), [])
            group.append(f"`{route.pattern}`")
    return [[" ".join(paths), methods, why] for (methods, why), paths in found.items()]


def database() -> str:
    """Return the page of every table and column of LiteLLM's that the gateway reads or writes."""
    read: dict[str, set[str]] = {}
    for table, columns in (*TABLES.values(), *budget_resets.READS.items()):
        read.setdefault(table, set()).update(columns)
    written: dict[str, dict[str, set[str]]] = {}
    for who, tables in (
        ("journal", journal_tables.written()),
        ("budget resets", budget_resets.WRITES),
        ("backend's key", backend_key.WRITES),
    ):
        for table, columns in tables.items():
            written.setdefault(table, {}).setdefault(who, set()).update(columns)
    for table in retention.DELETES:
        written.setdefault(table, {})["retention"] = {"rows deleted"}
    reads = [[f"`{table}`", ", ".join(sorted(read[table]))] for table in sorted(read)]
    writes = [
        [f"`{table}`", who, ", ".join(sorted(columns))]
        for table in sorted(written)
        for who, columns in written[table].items()
    ]
    return f"""# What the gateway reads and writes in LiteLLM's tables

Nothing else. LiteLLM's proxy writes keys, teams, users, budgets and its settings, and neither spend
nor totals. The gateway's own tables and triggers are in schema `gateway_data`, the views for
reports in `gateway_reports`.

## Read

{_table(["table", "columns"], reads)}

## Written

{_table(["table", "by", "columns"], writes)}
"""


def _table(headers: list[str], rows: list[list[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return tabulate(escaped, headers, tablefmt="github", disable_numparse=True)


PAGES = {
    "prices.md": prices,
    "environment.md": environment,
    "services.md": services,
    "litellm.md": litellm,
    "database.md": database,
}
DATED = re.compile(r"\n\*As of \d{4}-\d\d-\d\d\.\*\n\Z")


def undated(text: str) -> str:
    """Return a page without the line that says when it last changed."""
    return DATED.sub("", text)


def main() -> None:
    """Write each page that differs from what stands there, with today's date."""
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        path = REFERENCE / name
        text = page()
        if path.exists() and undated(path.read_text(encoding="utf-8")) == text:
            print(f"{name}: unchanged")
            continue
        path.write_text(f"{text}\n*As of {datetime.now(UTC):%Y-%m-%d}.*\n", encoding="utf-8")
        print(f"{name}: written")


if __name__ == "__main__":
    main()
