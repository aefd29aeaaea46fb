"""Every command block of the README and of docs/ works on a running stack, as it is shown."""

from __future__ import annotations

import json
import re

import pytest

from support.documents import command_blocks, output_block
from support.stack import Stack

# CI itself calls these two; calling the second from inside itself would not end.
BLOCKS = {
    name: block
    for name, block in command_blocks().items()
    if block.strip() not in {"./run up", "./run test"}
}
EXTRACT = next(block for block in BLOCKS.values() if block.rstrip().endswith("/extract"))


def typed(stack: Stack, block: str) -> str:
    """Run a block as a user would, on this stack's ports, and return what it printed.

    Each line has to end well, and no HTTP call may be answered with an error.
    """
    script = block.replace("localhost:8000", f"127.0.0.1:{stack.backend_port}")
    script = script.replace("localhost:4000", f"127.0.0.1:{stack.litellm_port}")
    script = re.sub(
        r"^curl ", "curl --fail-with-body --silent --show-error ", script, flags=re.MULTILINE
    )
    return stack.command("bash", "-euo", "pipefail", "-c", script).stdout


def lines_of(stack: Stack, output: str) -> list[str]:
    """Return an output's lines without what differs from stack to stack and from run to run.

    That is: ports, numbers, secrets, and whether LiteLLM's proxy is ready or idle.
    """
    text = output.replace(str(stack.litellm_port), "4000").replace(str(stack.backend_port), "8000")
    text = re.sub(r"sk-\S+", "sk-…", text)
    text = re.sub(r"^(litellm .*) (?:ready|idle|starting.*)$", r"\1 …", text, flags=re.MULTILINE)
    text = re.sub(r"(?<![\w.:@-])\d+(?:\.\d+)?(?![\w.:])", "N", text)
    return [" ".join(line.split()) for line in text.splitlines()]


def shape(value: object) -> object:
    """Return a JSON value with its types in place of its values, and the first of each list."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])]
    return type(value).__name__


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_a_command_block_works(stack: Stack, block: str) -> None:
    """Each line ends well, and no HTTP call is answered with an error."""
    assert typed(stack, block).strip()


def test_the_table_at_the_end_of_up_is_the_one_that_is_shown(stack: Stack) -> None:
    """The README's sample of the status table is the real one, but for its numbers."""
    shown = lines_of(stack, output_block("README.md", "SERVICE"))
    real = lines_of(stack, stack.run("status").stdout)

    assert [line.partition(" ")[0] for line in real] == [line.partition(" ")[0] for line in shown]
    # Other tests ask this stack, so that its day may have errors and its German be measured.
    told = ("errors", "extraction-model")
    assert [line for line in real if not line.startswith(told)] == [
        line for line in shown if not line.startswith(told)
    ]


def test_the_extraction_shown_has_the_form_of_a_real_one(stack: Stack) -> None:
    """The README's sample has every key of the backend's answer, with values of their types."""
    shown = json.loads(output_block("README.md", '{"items"'))

    assert shape(json.loads(typed(stack, EXTRACT))) == shape(shown)


def test_the_lines_for_a_client_are_those_that_are_shown(stack: Stack) -> None:
    """`./run key` prints what the guide shows, but for the secret."""
    shown = lines_of(stack, output_block("docs/getting-started.md", "export OPENAI_BASE_URL"))

    assert lines_of(stack, stack.run("key").stdout) == shown
