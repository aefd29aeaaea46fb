"""Programs that people use reach the gateway by the two lines of `./run key`, nothing else.

Each runs from tests/clients, with dependencies and a lock of its own (/opt/clients in the image of
the tests). The ollama client is not among them: LiteLLM speaks OpenAI's API, not Ollama's.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from support.scripted import play
from support.stack import REPOSITORY, Stack

CLIENTS = REPOSITORY / "tests/clients"
SECONDS = 300


def run(stack: Stack, program: str) -> dict[str, Any]:
    """Run a program with what `./run key` prints, and return what it printed."""
    lines = stack.run("key").stdout.splitlines()
    exports = [line.removeprefix("export ").split("=", 1) for line in lines if "=" in line]
    done = subprocess.run(
        ["/opt/clients/bin/python", CLIENTS / program],
        env={"PATH": os.environ["PATH"], **{name: value.strip("'\"") for name, value in exports}},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("program", "ways"),
    [
        ("openai_client.py", ["plain", "streamed", "from a coroutine"]),
        ("langchain_client.py", ["invoked", "streamed"]),
    ],
)
def test_a_client_gets_text_and_tokens_in_each_of_its_ways(
    priced_stack: Stack, program: str, ways: list[str]
) -> None:
    """Plain, streamed and asynchronous answers have text, and the usage that is billed."""
    play(priced_stack, {})
    told = run(priced_stack, program)

    for way in ways:
        assert told[way]["text"], way
        assert told[way]["tokens"] > 0, way
    structured = told.get("parsed") or told["structured"]
    assert structured.keys() == {"article", "noun"}


def test_open_webui_finds_the_models(priced_stack: Stack) -> None:
    """Its connection check, with the URL and key of `./run key`, lists the aliases."""
    assert {"extraction-model", "explanation-model"} <= set(
        run(priced_stack, "open_webui_check.py")["models"]
    )
