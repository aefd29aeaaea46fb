"""One attempt of the router: a stream up to its first token, an answer in the requested schema.

Wraps `Router._acompletion`, which the router calls once for each attempt, whether first, retry or
fallback (see version_guard.py for why there is no hook for it). What it raises, the router treats
like any provider's error.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from gateway.failover.cost import cost_of
from gateway.failover.record import current_record
from gateway.failover.registry import earliest_return
from gateway.failover.schema_check import repair_messages, requested_schema, violation
from gateway.failover.single_call import SingleCall

if TYPE_CHECKING:
    from gateway.failover.registry import Registry
    from gateway.failover.schema_check import Message, Schema
    from gateway.failover.settings import FailoverSettings
    from gateway.failover.single_call import Answer, Parameters, RouterCall


class AttemptRunner:
    """Makes the router's attempts.

    Args:
        call: `Router._acompletion` as it was.
        registry: the deployments.
        settings: of failover.
    """

    def __init__(self, call: RouterCall, registry: Registry, settings: FailoverSettings) -> None:
        self._original = call
        self._call = SingleCall(call, registry)
        self._registry = registry
        self._settings = settings

    def wrapped(self) -> RouterCall:
        """Returns what takes the place of `Router._acompletion`; LiteLLM looks at its name."""

        @functools.wraps(self._original)
        async def _acompletion(
            model: str,
            messages: list[Message],
            **parameters: Any,  # noqa: ANN401 -- the request's
        ) -> Any:  # noqa: ANN401 -- a response or a stream
            answer = await self._attempt(model, messages, parameters)
            record = current_record()
            if record is not None:
                record.was_answered = True
                log = getattr(answer.response, "logging_obj", None)
                record.answering_call = getattr(log, "litellm_call_id", None)
                if hasattr(answer.response, "_async_generator"):
                    record.first_token = time.monotonic()
            return answer.response

        return _acompletion

    async def _attempt(self, model: str, messages: list[Message], parameters: Parameters) -> Answer:
        if self._registry.is_out_of_use(model):
            raise self._unavailable(model)
        schema = None
        if self._settings.schema_repair:
            schema = requested_schema(parameters.get("response_format"))
        answer = await self._call(model, messages, parameters, to_the_end=schema is not None)
        if schema is None:
            return answer
        return await self._in_schema(schema, answer, model, messages, parameters)

    async def _in_schema(
        self,
        schema: Schema,
        answer: Answer,
        model: str,
        messages: list[Message],
        parameters: Parameters,
    ) -> Answer:
        """Returns an answer in the schema: this one, its repair, or another deployment's.

        Raises:
            UnprocessableEntityError: no deployment of this alias gave one. The router does not
                retry it, but falls back.
        """
        tried = {answer.deployment}
        while True:
            broken = _refused(schema, answer)
            if broken is None:
                return answer
            if answer.deployment is not None:
                again = repair_messages(messages, answer.text, broken)
                answer = await self._call(answer.deployment, again, parameters, to_the_end=True)
                broken = _refused(schema, answer)
                if broken is None:
                    return answer
            others = self._untried(model, tried)
            if not others:
                raise _schema_error(model, broken)
            tried.add(others[0])
            answer = await self._call(others[0], messages, parameters, to_the_end=True)

    def _untried(self, alias: str, tried: set[str | None]) -> list[str]:
        members = self._registry.of_alias(alias)
        names = [member.target.deployment for member in members if member.state.is_up]
        return [name for name in names if name not in tried]

    def _unavailable(self, alias: str) -> Exception:
        """Returns what the router would raise later, and at a price.

        It builds and logs a failed call first, some milliseconds of every request that goes to
        a fallback.
        """
        from litellm.types.router import RouterRateLimitError  # noqa: PLC0415 -- LiteLLM comes late

        members = self._registry.of_alias(alias)
        names = [member.target.deployment for member in members]
        error: Exception = RouterRateLimitError(
            model=alias,
            cooldown_time=earliest_return(members),
            enable_pre_call_checks=False,
            cooldown_list=names,
            model_ids=names,
        )
        return error


def _refused(schema: Schema, answer: Answer) -> str | None:
    """Returns how an answer breaks the schema, and takes note of it."""
    if answer.text is None:
        return None
    broken = violation(schema, answer.text)
    record = current_record()
    if broken is not None and record is not None and record.last is not None:
        record.last.broken_schema = True
        record.last.cost = cost_of(answer.response)
    return broken


def _schema_error(model: str, broken: str) -> Exception:
    import httpx  # noqa: PLC0415 -- LiteLLM has imported it by now
    from litellm.exceptions import UnprocessableEntityError  # noqa: PLC0415 -- as above

    request = httpx.Request("POST", "http://gateway")
    error: Exception = UnprocessableEntityError(
        message=f"{model} did not answer in the requested JSON schema: {broken}",
        model=model,
        llm_provider="",
        response=httpx.Response(422, request=request),
    )
    return error
