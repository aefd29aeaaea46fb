"""LiteLLM's management API of virtual keys, in the running gateway.

https://docs.litellm.ai/docs/proxy/virtual_keys; its own /key/regenerate needs a paid licence, so a
rotation is a new key with the old one's limits, and the deletion of the old one.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import httpx

from gateway.config.problems import ConfigurationError, Problem
from gateway.jobs.backend_key import ALIAS
from gateway.keys.key_request import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.settings import Settings

LOG = logging.getLogger(__name__)

TIMEOUT = 90.0
"""Seconds for one answer: LiteLLM's proxy may be started for it, and is waited for 60 s."""

STARTING_SECONDS = 300.0
"""How long LiteLLM's proxy may take to start, in all of its answers that say to retry."""

PAGE = 100
DASHBOARD_TEAM = "litellm-dashboard"
"""LiteLLM's admin pages keep their sessions as keys of this team."""

CARRIED = (
    *("models", "max_budget", "budget_duration", "rpm_limit", "tpm_limit", "max_parallel_requests"),
    *("metadata", "aliases", "config", "permissions", "allowed_routes", "allowed_cache_controls"),
    *("model_max_budget", "budget_limits", "budget_id", "team_id", "user_id", "blocked"),
)
"""What a rotated key takes over, in the names of LiteLLM's API; its spend besides."""


class KeyApiError(Exception):
    """LiteLLM did not do what it was asked."""


@dataclass(frozen=True)
class Key:
    """A virtual key as LiteLLM keeps it; never its secret, which it does not keep.

    Attributes:
        token: its hash, by which LiteLLM finds it.
        name: its alias.
        fields: all that LiteLLM tells.
    """

    token: str
    name: str
    fields: dict[str, Any]

    @property
    def expires(self) -> datetime | None:
        """When it is refused from."""
        text = self.fields.get("expires")
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None

    @property
    def state(self) -> str:
        """`active`, `blocked` or `expired`."""
        if self.expires is not None and self.expires <= datetime.now(timezone.utc):
            return "expired"
        return "blocked" if self.fields.get("blocked") else "active"


class KeyApi:
    """The keys of one gateway.

    Args:
        client: with the gateway's address and the master key.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def models(self) -> list[str]:
        """Return the aliases that a request may name."""
        return [str(model["id"]) for model in self._get("/v1/models")["data"]]

    def all_keys(self) -> list[Key]:
        """Return every key, in the order of their names."""
        found: list[Key] = []
        page, pages = 1, 1
        while page <= pages:
            answer = self._get(
                "/key/list", page=str(page), size=str(PAGE), return_full_object="true"
            )
            found.extend(_key(fields) for fields in answer["keys"])
            page, pages = page + 1, int(answer.get("total_pages") or 1)
        return sorted(
            (key for key in found if key.fields.get("team_id") != DASHBOARD_TEAM),
            key=lambda key: key.name,
        )

    def create(self, request: dict[str, Any]) -> tuple[Key, str]:
        """Make a key; return it with its secret.

        Raises:
            ConfigurationError: the name is taken.
            KeyApiError: LiteLLM refused.
        """
        name = request["key_alias"]
        if any(key.name == name for key in self.all_keys()):
            raise ConfigurationError(
                [Problem("NAME", f"there is a key '{name}' already", "take another, or rotate it")]
            )
        return self._generate(request)

    def set_blocked(self, name: str, *, blocked: bool) -> Key:
        """Refuse the key's requests from now on, or take them again; return it as it was."""
        key = self._find(name)
        self._post("/key/block" if blocked else "/key/unblock", {"key": key.token})
        return key

    def delete(self, name: str) -> Key:
        """Remove the key for good; return it as it was."""
        key = self._find(name, own=True)
        self._post("/key/delete", {"keys": [key.token]})
        return key

    def rotate(self, name: str) -> tuple[Key, str]:
        """Put a key with the same limits, spend and end in the place of an old one.

        The old one is refused afterwards. Requests that it has under way, and costs that LiteLLM
        has not written yet, stay with the old one and do not count against the new one's budget.

        Returns:
            the new key and its secret.
        """
        old = self._find(name, own=True)
        expires = old.expires
        if old.state == "expired":
            raise ConfigurationError(
                [Problem("NAME", f"'{name}' expired at {expires}", "delete it, create another")]
            )
        request = {field: old.fields[field] for field in CARRIED if old.fields.get(field)}
        request |= {"key_alias": f"{name}.rotating", "spend": old.fields.get("spend") or 0}
        if expires is not None:
            left = round((expires - datetime.now(timezone.utc)).total_seconds())
            request["duration"] = f"{max(left, 1)}s"
        new, secret = self._generate(request)
        try:
            self._post("/key/delete", {"keys": [old.token]})
        except KeyApiError:
            self._post("/key/delete", {"keys": [new.token]})
            raise
        self._post("/key/update", {"key": new.token, "key_alias": name})
        return Key(new.token, name, new.fields), secret

    def _find(self, name: str, *, own: bool = False) -> Key:
        """Return the key of that name; with `own`, one that is not the stack's."""
        if own and name == ALIAS:
            raise ConfigurationError(
                [
                    Problem(
                        "NAME",
                        f"'{name}' is the backend's own key, which every start creates again",
                        "change BACKEND_VIRTUAL_KEY and start again, or block the key",
                    )
                ]
            )
        keys = self.all_keys()
        for key in keys:
            if key.name == name:
                return key
        names = [key.name for key in keys]
        raise ConfigurationError(
            [Problem("NAME", f"there is no key '{name}'", nearest(name, names))]
        )

    def _generate(self, request: dict[str, Any]) -> tuple[Key, str]:
        answer = self._post("/key/generate", request)
        secret = str(answer.pop("key"))
        return _key(answer), secret

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        return self._answer("GET", path, params=parameters)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer("POST", path, json=body)

    def _answer(self, method: str, path: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401 -- httpx's own
        deadline = time.monotonic() + STARTING_SECONDS
        response = self._request(method, path, options)
        while (seconds := _come_again(response)) is not None and time.monotonic() < deadline:
            LOG.warning("%s", _said(response))
            time.sleep(seconds)
            response = self._request(method, path, options)
        if response.is_success:
            data: dict[str, Any] = response.json()
            return data
        raise KeyApiError(f"LiteLLM refused {path} ({response.status_code}): {_said(response)}")

    def _request(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise KeyApiError(
                f"the gateway at {self._client.base_url} does not answer: {error}\n"
                "    check that it runs: `./run status`"
            ) from error


def key_api(settings: Settings) -> KeyApi:
    """Return the keys of the running gateway.

    Raises:
        ConfigurationError: the master key is not set.
    """
    if settings.litellm_master_key is None:
        raise ConfigurationError(
            [Problem("LITELLM_MASTER_KEY", "is unset", "set it, or LITELLM_MASTER_KEY_FILE")]
        )
    master = settings.litellm_master_key.get_secret_value()
    return KeyApi(
        httpx.Client(
            base_url=f"http://127.0.0.1:{settings.port}",
            headers={"authorization": f"Bearer {master}"},
            timeout=TIMEOUT,
        )
    )


def _key(fields: dict[str, Any]) -> Key:
    token = str(fields.get("token") or fields.get("token_id") or "")
    return Key(token, str(fields.get("key_alias") or f"unnamed-{token[:8]}"), fields)


def _come_again(response: httpx.Response) -> float | None:
    """Return the seconds after which to ask again, while LiteLLM's proxy starts; None if not."""
    wanted = response.headers.get("retry-after", "")
    is_starting = response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    return float(wanted) if is_starting and wanted.isdigit() else None


def _said(response: httpx.Response) -> str:
    """Return LiteLLM's words in one line."""
    try:
        words: Sequence[str] = str(response.json()["error"]["message"]).split()
    except (ValueError, KeyError, TypeError):
        words = response.text.split()
    return " ".join(words)[:300]
