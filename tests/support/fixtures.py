"""The running stack that tests share; a test that needs another makes its own."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

from support.scripted import SCRIPTED_PROVIDERS
from support.stack import REPOSITORY, Stack

SHARED = ("priced_stack", "stack")
TOGETHER = ("tests/browser", "tests/unit/worker")
"""Folders whose tests share a stack, or a worker."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the modules marked long first; all else stays in order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Give each file to one worker, and the files that share a stack to the same one."""
    return ByStack(config, log)


class ByStack(LoadScopeScheduling):  # type: ignore[misc] # xdist is not typed
    """Keeps together what a stack is brought up for, or LiteLLM's library imported.

    pytest-xdist's own groups do not reach its scheduler with pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        for folder in TOGETHER:
            if file.startswith(f"{folder}/"):
                return folder
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        if "from support.litellm_library import" in text:
            return "litellm"
        for name in SHARED:
            uses = re.search(rf"def test_\w+\([^)]*\b{name}: Stack", text)
            if uses and f"def {name}(" not in text:
                return f"{Path(file).parent}-{name}"
        return file


SEED = "hypothesis_seed"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of hypothesis before it does, the same for all workers."""
    if config.option.hypothesis_seed is None:
        handed_on = getattr(config, "workerinput", {}).get(SEED)
        config.option.hypothesis_seed = handed_on or str(secrets.randbits(32))


def pytest_configure_node(node: WorkerController) -> None:
    """Hand the seed on to a worker of pytest-xdist, which gets only what was typed."""
    node.workerinput[SEED] = node.config.option.hypothesis_seed


COUNTED = "counted"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests counted, passed or not: a worker's own output reaches nobody.

    After a failure, print how to generate the same examples again.
    """
    if terminalreporter.stats.keys() & {"failed", "error"}:
        seed = terminalreporter.config.option.hypothesis_seed
        terminalreporter.write_line(f"\nthe same examples again: -- --hypothesis-seed={seed}")
    reports = [report for group in terminalreporter.stats.values() for report in group]
    lines = [
        line
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, line in report.user_properties
        if name == COUNTED
    ]
    if lines:
        terminalreporter.section("counted")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return a function that has a line printed at the end of the run."""
    return lambda line: record_property(COUNTED, line)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Yield a running stack, brought up as the README says, destroyed at the end.

    With TEST_PROJECT set it is the one that a developer keeps up under that name.
    """
    if project := os.environ.get("TEST_PROJECT"):
        yield Stack.running(project)
        return
    with Stack() as running:
        running.run("up")
        yield running


@pytest.fixture(scope="session")
def priced_stack() -> Iterator[Stack]:
    """Yield a running gateway whose OpenAI (priced) and Ollama (free) are the scripted upstream."""
    with Stack(SCRIPTED_PROVIDERS) as running:
        running.compose("up", "--detach", "--no-build", "--wait", "gateway", "scripted-upstream")
        yield running


@pytest.fixture
def make_stack() -> Iterator[Callable[..., Stack]]:
    """Yield a function that makes a stack with an environment of its own, not yet started."""
    made: list[Stack] = []

    def make(**environment: str) -> Stack:
        made.append(Stack(environment))
        return made[-1]

    yield make
    for each in made:
        each.destroy()


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    """Yield the official client with the backend's virtual key."""
    import openai

    with openai.OpenAI(
        base_url=f"{stack.gateway_url}/v1",
        api_key=stack.secret("backend_virtual_key"),
        max_retries=0,
        timeout=120,
    ) as connected:
        yield connected
