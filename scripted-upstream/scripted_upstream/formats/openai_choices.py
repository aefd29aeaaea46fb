"""One of the choices of a completion, whole and in fragments, with the logprobs of its tokens."""

from collections.abc import Iterator

from scripted_upstream.exchange import Json, ParsedCall, Reply

COMPLETION = "completions"
"""The topic of a request to /completions, whose choices have texts in place of messages."""

_FINISH = {"stop": "stop", "length": "length", "tool": "tool_calls"}
_LOGPROB = -0.125
"""Of every token; its alternatives have twice, three times … of that."""


def choice(ask: ParsedCall, reply: Reply) -> Json:
    """Return a whole choice, without its index."""
    finish = _FINISH[reply.finish]
    if ask.topic == COMPLETION:
        told = _old_logprobs(ask, reply.pieces)
        return {"text": reply.text, "logprobs": told, "finish_reason": finish}
    message: Json = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tool is not None:
        message |= {"content": None, "tool_calls": [_call(reply, reply.text)]}
    told = None if reply.tool is not None else _logprobs(ask, reply.pieces)
    return {"message": message, "logprobs": told, "finish_reason": finish}


def fragments(ask: ParsedCall, reply: Reply) -> Iterator[tuple[Json, bool]]:
    """Yield the fragments of a streamed choice, and whether each is a piece of the answer."""
    finish = _FINISH[reply.finish]
    if ask.topic == COMPLETION:
        for piece in reply.pieces:
            told = _old_logprobs(ask, (piece,))
            yield {"text": piece, "logprobs": told, "finish_reason": None}, True
        yield {"text": "", "logprobs": None, "finish_reason": finish}, False
        return
    yield _fragment({"role": "assistant", "content": None if reply.tool else ""}), False
    if reply.tool is not None:
        yield _fragment({"tool_calls": [{"index": 0, **_call(reply, "")}]}), False
    for piece in reply.pieces:
        if reply.tool is not None:
            arguments = {"index": 0, "function": {"arguments": piece}}
            yield _fragment({"tool_calls": [arguments]}), True
        else:
            yield _fragment({"content": piece}) | {"logprobs": _logprobs(ask, (piece,))}, True
    yield _fragment({}) | {"finish_reason": finish}, False


def _fragment(delta: Json) -> Json:
    return {"delta": delta, "logprobs": None, "finish_reason": None}


def _call(reply: Reply, arguments: str) -> Json:
    return {
        "id": f"call_{reply.number:08}",
        "type": "function",
        "function": {"name": reply.tool, "arguments": arguments},
    }


def _logprobs(ask: ParsedCall, tokens: tuple[str, ...]) -> Json | None:
    if ask.logprobs is None:
        return None
    ranks = range(1, ask.logprobs + 1)
    content = [
        {**_token(each, 1), "top_logprobs": [_token(each, rank) for rank in ranks]}
        for each in tokens
    ]
    return {"content": content, "refusal": None}


def _token(text: str, rank: int) -> Json:
    return {"token": text, "logprob": _LOGPROB * rank, "bytes": list(text.encode())}


def _old_logprobs(ask: ParsedCall, tokens: tuple[str, ...]) -> Json | None:
    """Return logprobs as /completions does: in parallel lists."""
    if ask.logprobs is None:
        return None
    offsets = [sum(map(len, tokens[:place])) for place in range(len(tokens))]
    return {
        "tokens": list(tokens),
        "token_logprobs": [_LOGPROB for _ in tokens],
        "top_logprobs": [{each: _LOGPROB} for each in tokens],
        "text_offset": offsets,
    }
