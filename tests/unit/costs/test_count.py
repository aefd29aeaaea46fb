"""Tokens are counted offline, in a thread, and estimated where they cannot be counted."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from gateway.config.deployment import Deployment, Protocol
from gateway.costs import TokenCounter
from gateway.costs.count import LONGEST

DEPLOYMENT = Deployment("1", "a", "openai", "m", Protocol.OPENAI)


class Words:
    """An encoding in which every word is a token; knows the thread that it ran in."""

    thread = 0

    def encode_ordinary(self, text: str) -> list[int]:
        """Return a number a word."""
        self.thread = threading.get_ident()
        return [0] * len(text.split())


def test_the_tokenizer_in_litellms_wheel_is_used_without_the_net() -> None:
    """Tokens are counted by the tokenizer in LiteLLM's wheel, without network access."""
    assert TokenCounter().count_now("Der Apfel ist rot.") == 6


def test_a_count_runs_in_another_thread_and_is_loaded_once() -> None:
    """Tokens are counted in another thread, by a tokenizer that is loaded once."""
    words, loads = Words(), []

    def load() -> Words:
        loads.append(1)
        return words

    counter = TokenCounter(load)

    async def count() -> list[int]:
        return list(await asyncio.gather(*(counter.count(DEPLOYMENT, "a b c") for _ in range(3))))

    assert asyncio.run(count()) == [3, 3, 3]
    assert words.thread != threading.get_ident()
    assert loads == [1]


def test_messages_cost_their_texts_tool_calls_and_a_little_each() -> None:
    """A message counts its texts, its tool calls and a little more, but no pictures."""
    call = {"function": {"name": "look", "arguments": '{"a": 1}'}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "x y"}, {"type": "image_url"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]

    assert TokenCounter(Words).count_now(messages) == 3 + 2 * 3 + (1 + 2) + (1 + 3)


def test_without_a_tokenizer_four_bytes_are_a_token(caplog: pytest.LogCaptureFixture) -> None:
    """Without a tokenizer, four bytes count as a token, and the log says so once."""

    def load() -> Words:
        raise FileNotFoundError

    counter = TokenCounter(load)
    with caplog.at_level(logging.WARNING):
        assert counter.count_now("süßer Tee") == 3
        assert counter.count_now("") == 0
        counter.count_now("again")
    assert len(caplog.records) == 1


def test_a_text_without_end_is_reckoned_from_its_beginning() -> None:
    """The tokens of a very long text are estimated from its beginning."""
    assert TokenCounter(Words).count_now("ab " * LONGEST) == pytest.approx(LONGEST, rel=0.01)
