"""The only place that imports LiteLLM's proxy and looks inside it."""

from __future__ import annotations

import gc
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gateway.failover.record import current_request_id
from gateway.log import tell_request_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from logging import LogRecord

OLLAMA_FACTS = {
    "litellm_provider": "ollama_chat",
    "mode": "chat",
    "input_cost_per_token": 0.0,
    "output_cost_per_token": 0.0,
    "supports_function_calling": True,  # Ollama takes tools, or says that a model does not
}


class LiteLLMProxy:
    """LiteLLM's proxy, imported; its environment must be set before.

    Args:
        models: the model ids that will be configured. LiteLLM asks Ollama about each of its models
            while it starts and stands still meanwhile; one that it knows it does not ask about.
    """

    def __init__(self, models: Iterable[str]) -> None:
        # Importing allocates a million objects that stay; collecting them meanwhile is a third of
        # the start, and freezing them afterwards spares every later collection.
        gc.disable()
        import litellm  # noqa: PLC0415 -- as above
        from litellm.proxy import proxy_server  # noqa: PLC0415 -- 4 s, and reads its environment

        for model in models:
            if model.startswith("ollama_chat/"):
                litellm.model_cost.setdefault(model, dict(OLLAMA_FACTS))
        gc.freeze()
        gc.enable()
        self._server: Any = proxy_server
        self.app: Any = proxy_server.app

    async def query_database(self) -> None:
        """Makes one query through LiteLLM's own connection; raises when it fails."""
        client = self._server.prisma_client
        if client is None:
            raise ConnectionError("LiteLLM has no database client")
        await client.db.query_raw("SELECT 1")

    def model_names(self) -> Sequence[str]:
        """Returns the aliases that LiteLLM has loaded."""
        router = self._server.llm_router
        names: Sequence[str] = router.get_model_names() if router is not None else ()
        return names

    def router(self) -> Any:  # noqa: ANN401 -- LiteLLM is not typed
        """Returns LiteLLM's router; None before it started, and while it has no model."""
        return self._server.llm_router

    @staticmethod
    def json_log_config() -> dict[str, Any]:
        """Returns uvicorn's log configuration with LiteLLM's JSON formatter.

        Its times get their zone, without which a log store would have to guess, and its lines the
        id of their request.
        """
        from litellm import _logging  # noqa: PLC0415 -- as above

        def with_zone(_: object, record: LogRecord, datefmt: str | None = None) -> str:
            del datefmt
            written = datetime.fromtimestamp(record.created, timezone.utc)
            return written.isoformat(timespec="milliseconds")

        _logging.JsonFormatter.formatTime = with_zone
        tell_request_ids(current_request_id)
        config: dict[str, Any] = _logging._get_uvicorn_json_log_config()  # noqa: SLF001 -- has no other name
        return config
