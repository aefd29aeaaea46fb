"""An Ollama and a model registry in this process; each records what it is asked."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

Json = dict[str, Any]


class Served:
    """Serves HTTP on a free loopback port while it is entered as a context."""

    handler: ClassVar[type[BaseHTTPRequestHandler]]

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self._server.daemon_threads = True
        self._server.owner = self  # type: ignore[attr-defined] # how the handler finds its data
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    """What both have in common."""

    def body(self) -> bytes:
        """Return the request's body, however it was sent."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def answer(self, status: int, *documents: Json) -> None:
        """Send JSON documents, one a line."""
        content = b"".join(json.dumps(each).encode() + b"\n" for each in documents)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def full(name: str) -> str:
    """Return a name with its tag, as Ollama's own answers have it."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class _OllamaHandler(_Handler):
    def _handle(self) -> None:  # noqa: C901 -- a flat table of what is asked and answered
        fake: FakeOllama = self.server.owner  # type: ignore[attr-defined] # set in Served
        content = self.body()
        if self.path.startswith("/api/blobs/"):
            fake.requests.append((self.command, self.path, {}))
            self._blob(fake, self.path.rpartition("/")[2], content)
            return
        request: Json = json.loads(content) if content else {}
        fake.requests.append((self.command, self.path, request))
        if self.path in fake.errors:
            self.answer(500, {"error": fake.errors[self.path]})
            return
        name = full(str(request.get("model", "")))
        match self.path:
            case "/api/version":
                self.answer(200, {"version": "0.17.4"})
            case "/api/tags":
                self.answer(200, {"models": [{"model": each} for each in fake.models]})
            case "/api/ps":
                self.answer(200, {"models": [{"model": each} for each in fake.loaded]})
            case "/api/show" if name in fake.models:
                digest = fake.models[name]
                self.answer(
                    200,
                    {"modelfile": f"# x\nFROM /models/blobs/sha256-{digest}\n", "model_info": {}},
                )
            case "/api/generate" if name in fake.models:
                fake.loaded.add(name)
                self.answer(200, {"model": name, "response": "", "done": True})
            case "/api/pull":
                self._pull(fake, name)
            case "/api/copy":
                fake.models[full(request["destination"])] = fake.models[full(request["source"])]
                self.answer(200)
            case "/api/delete":
                del fake.models[name]
                self.answer(200)
            case "/api/create":
                (digest,) = request["files"].values()
                fake.models[name] = digest.removeprefix("sha256:")
                self.answer(200, {"status": "success"})
            case _:
                self.answer(404, {"error": f"model '{name}' not found"})

    do_GET = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815 -- the base class asks for them

    def _pull(self, fake: FakeOllama, name: str) -> None:
        steps = fake.pulls.pop(0) if len(fake.pulls) > 1 else fake.pulls[0]
        if not any("error" in each for each in steps):
            fake.models[name] = "0" * 64
            steps = [*steps, {"status": "success"}]
        self.answer(200, *steps)

    def _blob(self, fake: FakeOllama, digest: str, content: bytes) -> None:
        if self.command == "HEAD":
            self.answer(200 if digest in fake.blobs else 404)
        elif f"sha256:{hashlib.sha256(content).hexdigest()}" == digest:
            fake.blobs.add(digest)
            self.answer(201)
        else:
            self.answer(400, {"error": "digest mismatch"})


@dataclass
class FakeOllama(Served):
    """Ollama's API over a dictionary.

    Attributes:
        models: name → digest of its weights.
        loaded: the models in memory.
        pulls: what each pull says; the last one is repeated. Without an "error" it succeeds.
        errors: path → the error that it answers.
        blobs: the digests that were uploaded.
        requests: method, path and body of everything asked.
    """

    handler = _OllamaHandler
    models: dict[str, str] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    pulls: list[list[Json]] = field(default_factory=lambda: [[]])
    errors: dict[str, str] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, Json]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def asked(self, path: str) -> list[Json]:
        """Return the bodies of the requests to a path."""
        return [body for _, asked, body in self.requests if asked == path]


class _RegistryHandler(_Handler):
    def do_GET(self) -> None:
        """Answer with a manifest."""
        fake: FakeRegistry = self.server.owner  # type: ignore[attr-defined] # set in Served
        fake.requests.append(self.path)
        if self.path in fake.manifests:
            self.answer(200, fake.manifests[self.path])
        else:
            self.answer(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})


@dataclass
class FakeRegistry(Served):
    """A registry that has manifests only, over plain http.

    Attributes:
        manifests: path → document.
        requests: the paths asked for.
    """

    handler = _RegistryHandler
    manifests: dict[str, Json] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Its address as OLLAMA_REGISTRY has it."""
        return f"127.0.0.1:{self.port}"

    def has(self, model: str, tag: str = "latest", **layers: int) -> None:
        """Put a manifest there: each layer's digest (less "sha256:") and size."""
        self.manifests[f"/v2/library/{model}/manifests/{tag}"] = {
            "layers": [{"digest": f"sha256:{each}", "size": size} for each, size in layers.items()],
        }
