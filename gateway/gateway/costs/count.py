"""Tokens of a text, where a provider does not report them; what is counted is marked so.

With OpenAI's tokenizer for every model: for others it is a close guess, as it is in LiteLLM, whose
wheel carries the tokenizer's file (litellm_core_utils/tokenizers, under tiktoken's own names for
its cache: https://github.com/openai/tiktoken, tiktoken/load.py).
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gateway.config.deployment import Deployment
    from gateway.request import Request

LOG = logging.getLogger(__name__)

ENCODING = "cl100k_base"
BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 3
TOKENS_PER_ANSWER = 3
LONGEST = 400_000
"""Characters that are counted; of a longer text the rest is reckoned from them."""

_PIECE = 4_000
"""A tokenizer's time grows with the square of one word's length; no piece is longer than this."""


class _Encoding(Protocol):
    def encode_ordinary(self, text: str) -> list[int]: ...


class TokenCounter:
    """Counts tokens in a thread, so that no request waits for another one's count.

    The tokenizer is loaded at the first count (0.5 s, 40 MB), and never by a gateway whose
    providers all report their usage.
    """

    def __init__(self, load: Callable[[], _Encoding] | None = None) -> None:
        self._load = load or load_encoding
        self._encoding: _Encoding | None = None
        self._is_loaded = False
        self._lock = threading.Lock()

    async def count(self, deployment: Deployment, what: str | Sequence[Mapping[str, Any]]) -> int:
        """Return the tokens of a text or of messages.

        Args:
            deployment: whose text it is; one tokenizer serves all of them today.
            what: a text, or messages in OpenAI's form.
        """
        del deployment
        return await asyncio.to_thread(self.count_now, what)

    async def count_request(
        self, deployment: Deployment, request: Request, text: str
    ) -> tuple[int, int]:
        """Return the tokens of a request's prompt and of the text that answers it."""
        del deployment
        return await asyncio.to_thread(self._request_now, request.body, text)

    def _request_now(self, body: Mapping[str, Any], text: str) -> tuple[int, int]:
        prompt = body.get("messages") or body.get("prompt") or body.get("input") or ""
        if isinstance(prompt, list) and not (prompt and isinstance(prompt[0], dict)):
            tokens = sum(1 if isinstance(each, int) else self._item(each) for each in prompt)
        else:
            tokens = self.count_now(prompt)
        return tokens, self._text(text)

    def _item(self, item: object) -> int:
        return len(item) if isinstance(item, list) else self._text(str(item))

    def count_now(self, what: str | Sequence[Mapping[str, Any]]) -> int:
        """Return the same at once, for callers that are not on an event loop."""
        if isinstance(what, str):
            return self._text(what)
        overhead = TOKENS_PER_ANSWER + TOKENS_PER_MESSAGE * len(what)
        return overhead + sum(self._text(text) for message in what for text in _texts(message))

    def _text(self, text: str) -> int:
        if not text:
            return 0
        encoding = self._tokenizer()
        if encoding is None:
            return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)
        counted = text[:LONGEST]
        tokens = sum(
            len(encoding.encode_ordinary(counted[start : start + _PIECE]))
            for start in range(0, len(counted), _PIECE)
        )
        return tokens if len(text) <= LONGEST else tokens * len(text) // LONGEST

    def _tokenizer(self) -> _Encoding | None:
        with self._lock:
            if not self._is_loaded:
                self._is_loaded = True
                try:
                    self._encoding = self._load()
                except Exception as error:  # noqa: BLE001 -- whatever it is, a guess is left
                    LOG.warning(
                        "cannot load the tokenizer (%s): counting four bytes as one token",
                        type(error).__name__,
                    )
        return self._encoding


def load_encoding() -> _Encoding:
    """Return OpenAI's tokenizer, from the file in LiteLLM's wheel.

    Raises:
        ImportError: tiktoken or LiteLLM's package is missing.
        OSError: the file is missing; nothing is downloaded.
    """
    import tiktoken  # noqa: PLC0415 -- 30 ms of a start, for what few need

    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("litellm")
    folder = Path(spec.submodule_search_locations[0]) / "litellm_core_utils" / "tokenizers"
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(folder))
    return tiktoken.get_encoding(ENCODING)


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield everything in a message that costs tokens and is text."""
    for name in ("role", "name", "content", "reasoning_content"):
        value = message.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (str(part.get("text") or "") for part in value if isinstance(part, dict))
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield f"{function.get('name')} {function.get('arguments')}"
