"""What `./run models` prints below its table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.models.report import print_rows
from gateway.models.rows import ListedDeployment

ROW = ListedDeployment(
    alias="a",
    provider="openai",
    model="openai/gpt-4o",
    deployment="id",
    price_in=1.0,
    price_out=2.0,
    context=8192,
    way="gateway",
    why="OpenAI's protocol",
    key="OPENAI_API_KEY",
    key_set=True,
    reachable="yes",
    condition="up",
    since=None,
    reason=None,
    fallback_of=(),
    evaluation=None,
    judged=False,
)


def test_an_alias_with_another_route_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Two deployments that the worker asks are one line; the gateway's own way needs none."""
    translated = replace(ROW, alias="b", way="worker", why="LiteLLM translates for anthropic")
    print_rows([ROW, translated, replace(translated, deployment="other"), replace(ROW, way=None)])

    below = [line for line in capsys.readouterr().out.splitlines() if "by " in line]
    assert below == ["b: by worker (LiteLLM translates for anthropic)"]
