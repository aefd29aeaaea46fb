"""What the internal endpoint believes: a signed identity, for its model and a few times; no key."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from gateway.errors import AuthenticationError
from gateway.http.internal import InternalApp
from gateway.proxy.identity import CLOCK_SKEW, HEADER, LIFETIME, MAX_USES, Identity, sign
from unit.http.rooms import CHAT, KEY, PATH, Conversation, Made, gateway

SECRET = b"shared by the gateway and its LiteLLM"
SOMEBODY = Identity(key_hash="a" * 64, alias="first", call_id="call-1", call_type="acompletion")


def signed(**changes: Any) -> dict[str, str]:
    """Return the header of an identity that is in order but for these changes."""
    at = changes.pop("now", time.time())
    secret = changes.pop("secret", SECRET)
    fields = {name: getattr(SOMEBODY, name) for name in ("key_hash", "alias", "call_id")}
    fields |= {"call_type": SOMEBODY.call_type, **changes}
    return {HEADER: sign(Identity(**fields), secret, at)}


async def ask(
    app: InternalApp, headers: Mapping[str, str], path: str = PATH, method: str = "POST"
) -> Conversation:
    """Return a whole exchange with the internal endpoint."""
    talk = Conversation(parts=[orjson.dumps(CHAT)])
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    await app(scope, talk.receive, talk.send)
    return talk


def internal(made: Made) -> InternalApp:
    """Return the internal endpoint of a gateway."""
    return InternalApp(made.endpoint, made.endpoint._rooms, SECRET)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": f"Bearer {KEY}"},
        {HEADER: KEY},
        {HEADER: "e30.e30"},
        {HEADER: f"{'a' * 20_000}.b"},
        signed(secret=b"of somebody else"),
        signed(now=time.time() - LIFETIME - CLOCK_SKEW - 60),
        signed(now=time.time() + 3600),
        signed(alias="second"),
    ],
    ids=["nothing", "a key", "a key signed", "forged", "long", "another secret", "old", "of later",
         "another model"],
)  # fmt: skip
async def test_whoever_is_not_believed_gets_a_401_and_nobody_is_asked(
    headers: dict[str, str],
) -> None:
    """Without a signature that holds, for this model and now, nothing is reserved or asked."""
    async with gateway() as made:
        talk = await ask(internal(made), headers)
        assert talk.status == 401
        assert len(talk.body) < 500
        assert made.provider.asked == []
        assert (made.limits.reserved, made.journal.records) == ([], [])


async def test_a_copied_identity_is_soon_refused() -> None:
    """One signature is good for a few calls, those of one request; then it is refused."""
    async with gateway() as made:
        app, headers = internal(made), signed()
        found = [(await ask(app, headers)).status for _ in range(MAX_USES + 2)]
        assert found == [200] * MAX_USES + [401] * 2
        assert len(made.provider.asked) == MAX_USES
        assert (await ask(app, signed())).status == 200


async def test_a_key_that_was_blocked_meanwhile_is_refused() -> None:
    """The key behind an identity is looked up again: LiteLLM may have admitted it before."""
    async with gateway() as made:

        async def blocked(*_: Any, **__: Any) -> None:
            raise AuthenticationError("this key is blocked")

        made.access.by_hash = blocked  # type: ignore[assignment,method-assign] # for one test
        talk = await ask(internal(made), signed())
        assert (talk.status, made.provider.asked) == (401, [])


async def test_nothing_is_passed_on_to_litellm() -> None:
    """A path that only LiteLLM has is a 404 here, and models are told to whoever is believed."""
    async with gateway() as made:
        app = internal(made)
        other = await ask(app, signed(), path="/v1/messages")
        models = await ask(app, signed(), path="/v1/models", method="GET")
        assert (other.status, made.forwarded) == (404, [])
        assert {each["alias"] for each in models.json["deployments"]} == {"first", "second"}
        assert (await ask(app, {}, path="/v1/models", method="GET")).status == 401
