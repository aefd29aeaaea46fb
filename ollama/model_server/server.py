"""Ollama's API as far as it is needed here, over the official client."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import ollama

from model_server.names import ModelName
from model_server.problem import Problem

QUICK_SECONDS = 4.0  # a health check has five
# The longest silence of a step that takes long: checking a large model's digest on a slow disk.
SLOW = httpx.Timeout(900, connect=10)
# Loopback is plain HTTP. Each client would otherwise spend 50 ms on reading the authorities'
# certificates, three times in each health check.
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_UPLOAD_CHUNK = 4 * 1024 * 1024
_WEIGHTS = re.compile(r"^FROM .*sha256[-:]([0-9a-f]{64})\s*$", re.MULTILINE)


@contextmanager
def _talking() -> Iterator[None]:
    """Turn the ways of getting no answer into one problem."""
    try:
        yield
    except (httpx.HTTPError, ConnectionError) as error:
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise Problem(
            f"ollama does not answer: {text}",
            "its own lines in this container's log say why",
            again="soon",
        ) from error


class Ollama:
    """The server in this container.

    Every method raises `Problem` when it does not answer, `ollama.ResponseError` when it says no.
    """

    def __init__(self, url: str) -> None:
        # Proxies are for the way out, never for loopback.
        local: Any = {"trust_env": False, "verify": _NO_AUTHORITIES}
        self._quick = ollama.Client(host=url, timeout=QUICK_SECONDS, **local)
        self._slow = ollama.Client(host=url, timeout=SLOW, **local)
        self._http = httpx.Client(base_url=url, timeout=SLOW, **local)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (self._quick, self._slow, self._http):
            client.close()

    def answers(self) -> bool:
        """Return whether it takes requests."""
        try:
            return self._http.get("/api/version", timeout=QUICK_SECONDS).is_success
        except httpx.HTTPError:
            return False

    def local(self) -> list[ModelName]:
        """Return the models in its store."""
        with _talking():
            models = self._quick.list().models
        return [ModelName.parse(each.model) for each in models if each.model]

    def has(self, name: ModelName) -> bool:
        """Return whether the model is in its store."""
        return name.folded in {each.folded for each in self.local()}

    def loaded(self, name: ModelName) -> bool:
        """Return whether it lists the model as loaded; a crashed runner stays listed."""
        with _talking():
            models = self._quick.ps().models
        return name.folded in {ModelName.parse(each.model).folded for each in models if each.model}

    def weights(self, name: ModelName) -> str | None:
        """Return the digest (hexadecimal) of a model's weights, None when it is not there."""
        try:
            with _talking():
                shown = self._quick.show(str(name))
        except ollama.ResponseError:
            return None
        found = _WEIGHTS.search(shown.modelfile or "")
        return found[1] if found else None

    def load(self, name: ModelName) -> None:
        """Bring the model into memory and wait for it; an empty prompt does no more."""
        with _talking():
            self._slow.generate(str(name), "")

    def pull(self, name: ModelName, *, insecure: bool) -> Iterator[ollama.ProgressResponse]:
        """Download a model; yields the server's progress. What is half there is resumed."""
        with _talking():
            yield from self._slow.pull(str(name), insecure=insecure, stream=True)

    def rename(self, old: ModelName, new: ModelName) -> None:
        """Give a model another name; its files stay where they are."""
        with _talking():
            self._quick.copy(str(old), str(new))
            self._quick.delete(str(old))

    def has_blob(self, digest: str) -> bool:
        """Return whether the file with that SHA-256 (hexadecimal) is in its store."""
        with _talking():
            return self._http.head(f"/api/blobs/sha256:{digest}").is_success

    def upload(self, path: Path, digest: str) -> None:
        """Put a file into its store, which checks the digest."""

        def chunks() -> Iterator[bytes]:
            with path.open("rb") as file:
                while chunk := file.read(_UPLOAD_CHUNK):
                    yield chunk

        with _talking():
            answer = self._http.post(f"/api/blobs/sha256:{digest}", content=chunks())
        if answer.is_error:
            raise ollama.ResponseError(answer.text, answer.status_code)

    def create(self, name: ModelName, file_name: str, digest: str) -> None:
        """Make a model of a GGUF file that was uploaded."""
        with _talking():
            self._slow.create(str(name), files={file_name: f"sha256:{digest}"})
