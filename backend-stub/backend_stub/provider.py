"""What the endpoints need of a provider, whichever it is."""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

from backend_stub.schemas import (
    Delta,
    Done,
    ExplainRequest,
    ExplainResponse,
    ExtractRequest,
    ExtractResponse,
    ModelName,
)

ProviderName = Literal["litellm"]
"""The providers that exist: values of EXTRACTION_PROVIDER and EXPLANATION_PROVIDER."""


class ExtractionProvider(Protocol):
    """Finds learning items in a text."""

    async def models(self) -> list[ModelName]:
        """Return what a request's `model` may be.

        Raises:
            ServiceError: with the status that the caller is to see.
        """
        ...

    async def extract(self, request: ExtractRequest, request_id: str) -> ExtractResponse:
        """Return the items.

        Raises:
            ServiceError: with the status that the caller is to see.
        """
        ...


class ExplanationProvider(Protocol):
    """Explains an item."""

    async def explain(self, request: ExplainRequest, request_id: str) -> ExplainResponse:
        """Return the whole explanation.

        Raises:
            ServiceError: with the status that the caller is to see.
        """
        ...

    def explain_stream(
        self, request: ExplainRequest, request_id: str
    ) -> AsyncGenerator[Delta | Done]:
        """Yield the explanation piece by piece, then one Done.

        Raises:
            ServiceError: at any step; closing the generator ends the call upstream.
        """
        ...
