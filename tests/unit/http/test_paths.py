"""Every spelling of a path that LiteLLM takes leads to the same operation."""

from __future__ import annotations

import pytest

from gateway.http.paths import OPERATIONS, operation_in
from gateway.request import Operation


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("prefix", ["", "/v1", "/openai/v1"])
def test_an_operation_is_found_with_and_without_a_prefix(prefix: str, operation: Operation) -> None:
    """Every operation is found with and without the prefixes that OpenAI's clients use."""
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
    """A path may name the model, as Azure's clients do, and the name may hold a slash."""
    assert operation_in(path) == (operation, model)


@pytest.mark.parametrize("path", ["/engines/", "/engines//chat/completions", "/key/info", "/"])
def test_another_path_is_no_operation(path: str) -> None:
    """A path without a model's name, or one of LiteLLM's, is not an operation."""
    assert operation_in(path) is None
