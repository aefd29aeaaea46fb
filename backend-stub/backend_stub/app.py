"""The endpoints: /extract, /explain, /models, /requests, /health, /docs, and the page at /."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi_offline import FastAPIOffline

from backend_stub import __version__, error_answers, page_files
from backend_stub.body_limit import BodyLimit
from backend_stub.disconnect import EventStream, unless_disconnected
from backend_stub.litellm_provider import LiteLLMProvider
from backend_stub.logs import RECENT, RequestLog, RequestRecord
from backend_stub.provider import ExplanationProvider, ExtractionProvider, ProviderName
from backend_stub.readiness import ask_gateway
from backend_stub.schemas import (
    Delta,
    Done,
    ErrorBody,
    ExplainRequest,
    ExplainResponse,
    ExtractRequest,
    ExtractResponse,
    Health,
    Models,
    RecentRequests,
)
from backend_stub.settings import Settings

router = APIRouter()

_PROVIDERS: dict[ProviderName, type[LiteLLMProvider]] = {"litellm": LiteLLMProvider}

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": description}
    for status, description in {
        400: "the provider cannot take the text",
        402: "the budget is spent",
        422: "the request is invalid; the answer names the field",
        429: "too many requests; Retry-After tells when to come back",
        502: "the gateway, its provider or the model gave no usable answer",
        503: "the gateway is down; Retry-After tells when to come back",
        504: "no answer in time",
    }.items()
}


def create_app(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Return the service.

    Args:
        settings: from the environment.
        transport: how to reach the gateway; the network, unless a test gives a fake.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        async with httpx.AsyncClient(transport=transport, limits=limits) as client:
            app.state.extraction = _PROVIDERS[settings.extraction_provider](settings, client)
            app.state.explanation = _PROVIDERS[settings.explanation_provider](settings, client)
            app.state.http_client = client
            yield

    app = FastAPIOffline(  # FastAPI's own /docs loads its scripts from a CDN
        title="German learning backend (stub)",
        version=__version__,
        summary="Extracts and explains German vocabulary, phrases and patterns.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.recent = deque(maxlen=RECENT)
    app.include_router(router)
    page_files.install(app)
    error_answers.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog)  # added last, so it is the outermost
    return app


def _extraction(request: Request) -> ExtractionProvider:
    provider: ExtractionProvider = request.app.state.extraction
    return provider


def _explanation(request: Request) -> ExplanationProvider:
    provider: ExplanationProvider = request.app.state.explanation
    return provider


@router.post("/extract", responses=_ERRORS)
async def extract(
    body: ExtractRequest,
    request: Request,
    provider: Annotated[ExtractionProvider, Depends(_extraction)],
) -> ExtractResponse:
    """Return vocabulary, phrases and patterns worth learning from a German text."""
    log = RequestLog.of(request)
    answer = await unless_disconnected(request, provider.extract(body, log.request_id))
    log.answered(answer.model, answer.usage)
    return answer


@router.post(
    "/explain",
    response_model=ExplainResponse,
    responses={
        **_ERRORS,
        200: {
            "description": "the explanation; as events `delta`, then `done` or `error`, "
            "when the client accepts text/event-stream",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
    },
)
async def explain(
    body: ExplainRequest,
    request: Request,
    provider: Annotated[ExplanationProvider, Depends(_explanation)],
) -> Response | ExplainResponse:
    """Return an explanation of a German word, phrase or pattern, whole or as it is written."""
    log = RequestLog.of(request)
    if "text/event-stream" in request.headers.get("accept", ""):
        events = provider.explain_stream(body, log.request_id)
        # The first piece decides the status: what fails before it is an ordinary error answer.
        first = await unless_disconnected(request, anext(events))
        return EventStream(_events(first, events, log))

    answer = await unless_disconnected(request, provider.explain(body, log.request_id))
    log.answered(answer.model, answer.usage)
    return answer


async def _events(
    first: Delta | Done, rest: AsyncGenerator[Delta | Done], log: RequestRecord
) -> AsyncGenerator[str]:
    """Yield server-sent events: delta, delta, …, then done, or error if the stream breaks."""
    async with aclosing(rest):
        try:
            event: Delta | Done = first
            while not isinstance(event, Done):
                yield f"event: delta\ndata: {event.model_dump_json()}\n\n"
                event = await anext(rest)
            log.answered(event.model, event.usage)
            yield f"event: done\ndata: {event.model_dump_json()}\n\n"
        except Exception as error:  # noqa: BLE001 -- the status line is sent: only an event can tell
            failure = error_answers.known(error)
            log.failed(failure.code)
            body = error_answers.body(failure, log.request_id)
            yield f"event: error\ndata: {body.model_dump_json(exclude_none=True)}\n\n"


@router.get("/models", responses={503: _ERRORS[503]})
async def models(
    request: Request, provider: Annotated[ExtractionProvider, Depends(_extraction)]
) -> Models:
    """Return what a request's `model` may be, and what is asked when it names none."""
    settings: Settings = request.app.state.settings
    return Models(
        extraction=settings.litellm_extraction_model,
        explanation=settings.litellm_explanation_model,
        models=await provider.models(),
    )


@router.get("/requests")
async def requests(request: Request) -> RecentRequests:
    """Return the last extractions and explanations, without any text."""
    return RecentRequests(requests=list(request.app.state.recent))


@router.get("/health")
async def health(request: Request, deep: bool = False) -> Health:  # noqa: FBT001, FBT002 -- a query
    """Return healthy as long as this service itself answers; ?deep=1 is /health/ready."""
    return await ready(request) if deep else Health(version=__version__)


@router.get("/health/ready", responses={503: _ERRORS[503]})
async def ready(request: Request) -> Health:
    """Return healthy when the gateway says that it is healthy; no model is called."""
    await ask_gateway(request.app.state.http_client, request.app.state.settings.gateway_url)
    return Health(version=__version__, gateway="healthy")
