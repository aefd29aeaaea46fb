"""One shape for every error: {"error": {"code", "message", "fields"?, "request_id"?}}."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from backend_stub.failures import ServiceError
from backend_stub.logs import RequestLog
from backend_stub.schemas import ErrorBody, ErrorDetail

_UNEXPECTED = ServiceError(
    500, "internal_error", "this service failed: its log has the cause under this request id"
)


def install(app: FastAPI) -> None:
    """Make the app answer every error, its own and the framework's, in the one shape."""
    app.add_exception_handler(ServiceError, _failure)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def known(error: Exception) -> ServiceError:
    """Return the failure itself, or for a defect of ours a 500 whose cause is logged."""
    if isinstance(error, ServiceError):
        return error
    logging.getLogger(__name__).error("unexpected error", exc_info=error)
    return _UNEXPECTED


def body(failure: ServiceError, request_id: str, fields: list[str] | None = None) -> ErrorBody:
    """Return the body of an error answer."""
    return ErrorBody(
        error=ErrorDetail(
            code=failure.code,
            message=failure.message,
            fields=fields,
            request_id=request_id,
            route=failure.route,
        )
    )


async def _failure(request: Request, error: Exception) -> JSONResponse:
    return _answer(request, known(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Name each field at fault, and never repeat its value."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    if any(problem["type"] == "json_invalid" for problem in problems):
        return _answer(
            request,
            ServiceError(422, "invalid_json", f"the body is not valid JSON: {_where(problems)}"),
        )
    fields = [".".join(map(str, problem["loc"][1:])) or "body" for problem in problems]
    message = "; ".join(
        f"{field}: {_text(problem)}" for field, problem in zip(fields, problems, strict=True)
    )
    return _answer(request, ServiceError(422, "invalid_input", message), fields)


async def _http(request: Request, error: Exception) -> JSONResponse:
    """Answer the framework's own refusals: no such path, wrong method, body too large."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = HTTPStatus(status).name.lower()
    answer = _answer(
        request, ServiceError(status, code, f"{request.method} {request.url.path}: {code}")
    )
    if isinstance(error, HTTPException):
        answer.headers.update(error.headers or {})
    return answer


def _answer(
    request: Request, failure: ServiceError, fields: list[str] | None = None
) -> JSONResponse:
    log = RequestLog.of(request)
    log.failed(failure.code)
    headers = {"retry-after": failure.retry_after} if failure.retry_after else None
    content = body(failure, log.request_id, fields).model_dump(exclude_none=True)
    return JSONResponse(content, failure.status, headers)


def _where(problems: Sequence[Any]) -> str:
    problem = problems[0]
    return f"{problem['ctx']['error'].lower()} at character {problem['loc'][-1]}"


def _text(problem: Any) -> str:  # noqa: ANN401 -- pydantic's own type of a problem is Any
    if problem["type"] == "model_attributes_type":
        return "send a JSON object, with the header content-type: application/json"
    message: str = problem["msg"]
    return message[0].lower() + message[1:]
