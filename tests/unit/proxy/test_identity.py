"""Who a call of LiteLLM is for: believed when it was signed, for a short time, and a few times."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.identity import (
    LIFETIME,
    MAX_USES,
    Identity,
    IdentityError,
    UseCounter,
    derive_secret,
    sign,
    verify,
)

SECRET = derive_secret("sk-master-0123456789abcdef", "sk-salt")
NOW = 1_800_000_000.0
NAMES = st.text(max_size=40)
SOMEBODY = Identity(
    key_hash="ab" * 32,
    alias="extraction-model",
    call_id="call-1",
    call_type="acompletion",
    user_id="u1",
    controls={"fallbacks": ["b"], "timeout": 3},
    nonce="n1",
)


@given(
    alias=NAMES,
    team=st.none() | NAMES,
    metadata=st.dictionaries(NAMES, NAMES | st.integers(-5, 5) | st.booleans(), max_size=5),
)
def test_whatever_was_signed_comes_back_as_it_was(
    alias: str, team: str | None, metadata: dict[str, object]
) -> None:
    """An identity that was signed comes back as it was, whatever it holds."""
    identity = replace(SOMEBODY, alias=alias, team_id=team, controls={"metadata": metadata})
    found = verify(sign(identity, SECRET, NOW), SECRET, NOW)
    assert replace(found, expires=0.0) == identity


@given(at=st.integers(0, 10_000), by=st.integers(1, 127))
def test_a_token_with_one_changed_character_is_not_believed(at: int, by: int) -> None:
    """An identity's token with one changed character is not believed."""
    token = sign(SOMEBODY, SECRET, NOW)
    at %= len(token)
    changed = token[:at] + chr((ord(token[at]) + by) % 128) + token[at + 1 :]
    if changed.rstrip("=") == token:
        return
    try:
        found = verify(changed, SECRET, NOW)
    except IdentityError:
        return
    # Base64's last character has bits that mean nothing: the signature may be spelt in two ways.
    assert replace(found, expires=0.0) == SOMEBODY
    assert at == len(token) - 1


@given(token=st.text(max_size=300))
def test_any_other_text_is_refused_as_unsigned_and_breaks_nothing(token: str) -> None:
    """Text that is not a token is refused as an identity, and raises no other error."""
    with pytest.raises(IdentityError):
        verify(token, SECRET, NOW)


def test_a_token_of_another_secret_is_not_believed() -> None:
    """An identity that was signed with another secret is refused."""
    other = derive_secret("sk-master-0123456789abcdef", "sk-other-salt")
    with pytest.raises(IdentityError, match="wrong signature"):
        verify(sign(SOMEBODY, other, NOW), SECRET, NOW)


def test_an_unsigned_payload_is_not_believed() -> None:
    """An identity without a signature is refused."""
    payload = base64.urlsafe_b64encode(json.dumps({"key_hash": "x"}).encode()).decode()
    with pytest.raises(IdentityError, match="no signed identity"):
        verify(payload, SECRET, NOW)


def test_a_token_is_worth_nothing_after_its_time_and_before_it() -> None:
    """An identity's token is refused before and after its lifetime."""
    token = sign(SOMEBODY, SECRET, NOW)
    verify(token, SECRET, NOW + LIFETIME)
    for moment in (NOW + LIFETIME + 10, NOW - 60):
        with pytest.raises(IdentityError, match="expired identity"):
            verify(token, SECRET, moment)


def test_controls_that_no_header_can_hold_are_refused_when_they_are_signed() -> None:
    """An identity whose controls are too long for a header is refused when it is signed."""
    with pytest.raises(IdentityError, match="too long"):
        sign(replace(SOMEBODY, controls={"metadata": {"x": "y" * 20_000}}), SECRET, NOW)


def test_a_copied_token_is_soon_used_up_and_others_are_not() -> None:
    """A token that is used too often is refused, while other tokens are not."""
    uses, identity = UseCounter(), verify(sign(SOMEBODY, SECRET, NOW), SECRET, NOW)
    for _ in range(MAX_USES):
        uses.count(identity, NOW)
    with pytest.raises(IdentityError, match="too often"):
        uses.count(identity, NOW)
    uses.count(replace(identity, nonce="n2"), NOW)


def test_what_expired_is_forgotten() -> None:
    """The uses of expired tokens are forgotten."""
    uses = UseCounter()
    for number in range(1000):
        uses.count(replace(SOMEBODY, nonce=str(number), expires=NOW + LIFETIME), NOW)
    uses.count(replace(SOMEBODY, nonce="late", expires=NOW + 3 * LIFETIME), NOW + 2 * LIFETIME)
    assert len(uses._uses) == 1
