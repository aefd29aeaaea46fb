"""Every spelling of a path that LiteLLM takes leads to the same operation."""

from __future__ import annotations

import pytest

from gateway.http.paths import OPERATIONS, operation_in
from gateway.request import Operation


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("prefix", ["", "/v1", "/openai/v1"])
def test_an_operation_is_found_with_and_without_a_prefix(prefix: str, operation: Operation) -> None:
    """OpenAI's clients put /v1 before it, or not."""
    assert OPERATIONS[f"{prefix}{operation.path}"] is operation


@pytest.mark.parametrize(
    ("path", "operation", "model"),
    [
        ("/openai/deployments/my-model/chat/completions", Operation.CHAT, "my-model"),
        ("/engines/a%2Fb/completions", Operation.COMPLETION, "a/b"),
        ("/v1/engines/a/b/embeddings", Operation.EMBEDDING, "a/b"),
    ],
)
def test_a_model_may_stand_in_the_path(path: str, operation: Operation, model: str) -> None:
    """As Azure's clients, and OpenAI's first, write it; a model's name may hold a slash."""
    assert operation_in(path) == (operation, model)


@pytest.mark.parametrize("path", ["/engines/", "/engines//chat/completions", "/key/info", "/"])
def test_another_path_is_no_operation(path: str) -> None:
    """It is LiteLLM's."""
    assert operation_in(path) is None
