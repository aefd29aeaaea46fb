"""Every command block of the README does what it says, on a running stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from support.stack import REPOSITORY

if TYPE_CHECKING:
    from support.stack import Stack

README = (REPOSITORY / "README.md").read_text()
# CI itself calls these two; calling the second from inside itself would not end.
BLOCKS = [
    block
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    if block.strip() not in {"./run up", "./run test"}
]


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n")[0][:40] for block in BLOCKS])
def test_a_command_block_works(stack: Stack, block: str) -> None:
    """Each line ends well, and no HTTP call is answered with an error."""
    script = block.replace("localhost:8000", f"127.0.0.1:{stack.backend_port}")
    script = script.replace("localhost:4000", f"127.0.0.1:{stack.litellm_port}")
    script = re.sub(
        r"^curl ", "curl --fail-with-body --silent --show-error ", script, flags=re.MULTILINE
    )

    done = stack.command("bash", "-euo", "pipefail", "-c", script)

    assert done.stdout.strip()


def test_the_table_at_the_end_of_up_is_the_one_that_is_shown(stack: Stack) -> None:
    """The README's sample of the status table has the real one's heading and services."""
    shown = re.search(r"```\n(SERVICE.*?)```", README, re.DOTALL)
    real = stack.run("status").stdout

    assert shown
    assert [line.split()[0] for line in shown.group(1).splitlines()] == [
        line.split()[0] for line in real.splitlines()
    ]
