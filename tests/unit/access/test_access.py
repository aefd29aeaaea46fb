"""What the other rooms call: who is let in, with which words others are refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import pytest

from gateway.access.access import MASTER_KEY_NAME, Access
from gateway.access.caller import Caller, Kind
from gateway.access.identity import Settings
from gateway.access.known import KnownCallers
from gateway.access.rows import Wanted
from gateway.errors import GatewayError
from unit.access.people import CATALOGUE, MODELS, FakeDatabase, FakeReader, found, key

MASTER = "sk-master-0123456789"
SECRET = "sk-virtual-0123456789"
NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


def over(
    rows: Mapping[str, Any], *, policy: Literal["serve", "refuse"] = "serve"
) -> tuple[Access, FakeDatabase]:
    """Return an Access that reads the same rows for SECRET, and the database to stop."""
    access = Access(MODELS, MASTER, NOWHERE, policy=policy)
    database = FakeDatabase()
    reader = FakeReader(database)
    access._database = database  # type: ignore[assignment] # a fake
    access._known = KnownCallers(
        database,  # type: ignore[arg-type] # a fake
        reader,  # type: ignore[arg-type] # a fake
        Settings(CATALOGUE),
        default_budget=None,
        serves_old=policy == "serve",
        clock=lambda: 0.0,
    )
    if rows:
        reader.callers.known[Wanted(hashed(SECRET))] = found(**rows)
    return access, database


def hashed(secret: str) -> str:
    """Return the hash by which LiteLLM knows a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def refused(access: Access, secret: str | None, **more: Any) -> GatewayError:
    """Return the error that a key gets."""
    with pytest.raises(GatewayError) as error:
        asyncio.run(access.identify(secret, **more))
    assert SECRET not in error.value.message
    assert MASTER not in error.value.message
    return error.value


def kind(error: GatewayError) -> tuple[int, str]:
    """Return what clients tell errors apart by."""
    return error.status, error.type


def test_the_master_key_is_an_administrators_with_and_without_a_database() -> None:
    """The master key is an administrator without budgets, with a database or without one."""
    for url in (None, NOWHERE):
        access = Access(MODELS, MASTER, url, policy="refuse")
        caller = asyncio.run(access.identify(MASTER))
        assert (caller.is_admin, caller.key_hash) == (True, MASTER_KEY_NAME)
        assert all(each.max_budget is None for each in caller.entities)
        assert access.visible_aliases(caller) == ["small", "large", "best"]


def test_without_a_master_key_nobody_needs_one() -> None:
    """With no master key configured, every request is an administrator's, whatever it sends."""
    access = Access(MODELS, None, None, policy="serve")
    for secret in (None, "", "anything"):
        caller = asyncio.run(access.identify(secret, end_user="e"))
        assert (caller.is_admin, caller.key_hash, caller.end_user_id) == (True, "", "e")
    assert (access.database_answers, access.reasons()) == (True, [])


def test_without_a_database_only_the_master_key_is_known() -> None:
    """Without a database, any key but the master key gets LiteLLM's 400 `no_db_connection`."""
    access = Access(MODELS, MASTER, None, policy="serve")
    assert kind(refused(access, SECRET)) == (400, "no_db_connection")


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        (None, (401, "auth_error")),
        ("", (401, "auth_error")),
        ("token-without-sk", (401, "auth_error")),
        (SECRET, (401, "token_not_found_in_db")),
        ("sk-\udcff", (401, "token_not_found_in_db")),
    ],
)
def test_who_has_no_key_is_refused_as_litellm_does(
    secret: str | None, what: tuple[int, str]
) -> None:
    """A missing, malformed or unknown key is refused with the same 401 as LiteLLM gives."""
    assert kind(refused(over({})[0], secret)) == what


def test_a_known_key_is_let_in_without_giving_up_control() -> None:
    """A key that is in memory is identified in a single step, without awaiting anything."""
    access, _ = over({"key": key(token=hashed(SECRET))})
    asyncio.run(access.identify(SECRET, end_user="e"))
    for end_user in (None, "e"):
        with pytest.raises(StopIteration) as done:
            access.identify(SECRET, end_user=end_user).send(None)
        assert isinstance(done.value.value, Caller)


def test_a_key_that_has_expired_is_refused() -> None:
    """An expired key is refused with 401, the type `expired_key` and its expiry time."""
    access, _ = over({"key": key(expires="2020-01-01T00:00:00")})
    error = refused(access, SECRET)
    assert kind(error) == (401, "expired_key")
    assert "Key Expiry time 2020-01-01 00:00:00+00:00" in error.message


def test_a_key_may_only_ask_its_routes() -> None:
    """A key with `allowed_routes` is refused with 403 on any other route."""
    access, _ = over({"key": key(allowed_routes=["/v1/embeddings", "management_routes"])})
    assert refused(access, SECRET, route="/v1/chat/completions").status == 403
    assert asyncio.run(access.identify(SECRET, route="/v1/embeddings"))


@pytest.mark.parametrize("end_user", ["x" * 1025, "a\0b"])
def test_an_end_user_that_no_database_holds_is_400(end_user: str) -> None:
    """An end user id that is too long or has a zero byte gets 400, naming `user`."""
    access, _ = over({"key": key()})
    for secret in (SECRET, MASTER):
        error = refused(access, secret, end_user=end_user)
        assert (error.status, error.param) == (400, "user")


def test_the_policy_refuse_refuses_also_keys_in_memory() -> None:
    """With the policy `refuse` and no database, a known key gets 503 and the master key works."""
    access, database = over({"key": key()}, policy="refuse")
    asyncio.run(access.identify(SECRET))
    database.answers = False
    assert refused(access, SECRET).status == 503
    assert asyncio.run(access.identify(MASTER)).is_admin


def test_litellms_identity_is_looked_up_by_its_hash() -> None:
    """A hash from LiteLLM identifies a virtual key, a session or the master key."""
    access, _ = over({"key": key(token=hashed(SECRET), user_id="u")})
    nobody = {"user_id": None, "team_id": None, "end_user": None}
    caller = asyncio.run(access.by_hash(hashed(SECRET), **nobody))
    assert [each.kind for each in caller.entities] == [Kind.KEY, Kind.USER]
    assert asyncio.run(access.by_hash(MASTER_KEY_NAME, **nobody)).is_admin
    session = asyncio.run(access.by_hash("s", user_id="v", team_id=None, end_user=None))
    assert (session.key_hash, session.user_id) == ("s", "v")


def resolved(models: list[str], name: str, **columns: Any) -> str | tuple[int, str, str | None]:
    """Return what a name stands for, or how it is refused."""
    access, _ = over({"key": key(models=models, **columns)})
    caller = asyncio.run(access.identify(SECRET))
    try:
        return access.resolve(caller, name)
    except GatewayError as error:
        return (error.status, error.type, error.param)


def test_names_stand_for_aliases() -> None:
    """A model name is resolved by the key's own aliases first, then by the router's."""
    assert resolved([], "small") == "small"
    assert resolved([], "best") == "large"
    assert resolved([], "mine", aliases={"mine": "best"}) == "large"
    assert resolved(["large"], "mine", aliases={"mine": "large"}) == "large"


def test_a_name_that_may_not_be_asked_for_is_403_and_one_that_nobody_configured_400() -> None:
    """A model outside the key's list gets 403; one it may use but nobody configured gets 400."""
    denied = (403, "key_model_access_denied", "model")
    assert resolved(["small"], "large") == denied
    assert resolved(["small"], "unknown") == denied
    assert resolved([], "unknown") == (400, "invalid_request_error", None)
    assert resolved(["unknown"], "unknown") == (400, "invalid_request_error", None)
    assert resolved([], "mine", aliases={"mine": "unknown"}) == (400, "invalid_request_error", None)


def test_the_list_of_models_is_what_may_be_asked_for() -> None:
    """A key's model list expands groups and keeps the order of the configuration."""
    access, _ = over({"key": key(models=["best", "cheap"])})
    caller = asyncio.run(access.identify(SECRET))
    assert access.visible_aliases(caller) == ["small", "best"]


def test_a_huge_model_name_does_not_come_back_whole() -> None:
    """The error about a very long model name has a bounded message."""
    access, _ = over({"key": key()})
    caller = asyncio.run(access.identify(SECRET))
    with pytest.raises(GatewayError) as error:
        access.resolve(caller, "x" * 1_000_000)
    assert len(error.value.message) < 3000


async def test_it_starts_and_closes_with_the_database_away() -> None:
    """With the database away, access starts and says so, and admits only the master key."""
    access = Access(MODELS, MASTER, NOWHERE, policy="serve")
    await access.start()
    try:
        assert not access.database_answers
        (reason,) = access.reasons()
        assert reason.startswith("the database does not answer")
        with pytest.raises(GatewayError) as error:
            await access.identify(SECRET)
        assert error.value.status == 503
        assert (await access.identify(MASTER)).is_admin
    finally:
        await access.close()
