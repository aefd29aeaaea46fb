"""The model server's image and a model registry as containers, started the way compose does."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ollama

from support import engine
from support.wait import until

VERSION = os.environ.get("STACK_VERSION", "0.1.0")
IMAGE = f"litellm-proxy-service/ollama:{VERSION}"
TOOLS_IMAGE = f"litellm-proxy-service/tests:{VERSION}"

# Debian's docker-registry. Ollama wants to be redirected to files on another host name, so the
# registry sends it to the file server below, which is the same container under its other name.
_REGISTRY = """
cat > /tmp/config.yml <<END
version: 0.1
log: { accesslog: { disabled: true }, level: error }
storage: { filesystem: { rootdirectory: /var/lib/registry } }
middleware: { storage: [ { name: redirect, options: { baseurl: "http://files:8000/" } } ] }
http: { addr: ":5000" }
END
docker-registry serve /tmp/config.yml &
exec python -u -c "$FILE_SERVER"
"""

# Files over HTTP with ranges; prints each request; SPEED is in bytes a second.
_FILE_SERVER = r"""
import http.server, os, re, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range", "")
        sys.stdout.write(f"file {self.path.split('/')[-2][:12]} {wanted}\n")
        with open("/var/lib/registry" + self.path.split("?")[0], "rb") as file:
            size = os.fstat(file.fileno()).st_size
            first, last = re.match(r"bytes=(\d+)-(\d+)", wanted or f"bytes=0-{size - 1}").groups()
            file.seek(int(first))
            left = int(last) + 1 - int(first)
            self.send_response(206)
            self.send_header("Content-Length", str(left))
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            while left > 0:
                chunk = file.read(min(left, 1 << 18))
                self.wfile.write(chunk)
                left -= len(chunk)
                time.sleep(len(chunk) / float(os.environ["SPEED"]))
    do_HEAD = do_GET
    def log_message(self, *arguments): pass
print("listening", flush=True)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


def docker(*arguments: str, check: bool = True) -> str:
    """Run docker and return what it printed on both streams.

    Raises:
        AssertionError: when `check` and it failed.
    """
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout}"
    return done.stdout


@dataclass
class World:
    """A network with a registry and model servers; everything in it is named after it.

    Attributes:
        name: prefix of every container, volume and network.
    """

    name: str = field(default_factory=lambda: f"model-server-test-{secrets.token_hex(4)}")
    _removals: list[tuple[str, ...]] = field(default_factory=list)

    def network(self) -> str:
        """Return the network's name; it is made on the first call."""
        removal = ("network", "rm", self.name)
        if removal not in self._removals:
            docker("network", "create", self.name)
            self._removals.insert(0, removal)
        return self.name

    def volume(self, *files: Path) -> str:
        """Return the name of a new volume with copies of these files."""
        name = f"{self.name}-{secrets.token_hex(2)}"
        docker("volume", "create", name)
        self._removals.append(("volume", "rm", "--force", name))
        if files:
            docker("create", "--name", f"{name}-copy", "--volume", f"{name}:/models", IMAGE)
            for file in files:
                docker("cp", str(file), f"{name}-copy:/models/{file.name}")
            docker("rm", f"{name}-copy")
        return name

    def registry(self, speed: float = 1e9) -> Registry:
        """Return a running registry, reached by model servers as registry:5000."""
        name = f"{self.name}-registry"
        self._removals.append(("rm", "--force", "--volumes", name))
        docker(
            "run", "--detach", "--name", name, "--network", self.network(),
            "--network-alias", "registry", "--network-alias", "files",
            "--env", f"FILE_SERVER={_FILE_SERVER}", "--env", f"SPEED={speed}",
            "--volume", "/var/lib/registry", TOOLS_IMAGE, "sh", "-c", _REGISTRY,
        )  # fmt: skip
        found = Registry(name)
        until(lambda: "listening" in found.log(), seconds=30, what="the registry")
        return found

    def server(
        self,
        *options: str,
        store: str | None = None,
        network: str | None = None,
        **environment: str,
    ) -> ModelServer:
        """Return a model server that was just started.

        Args:
            options: more options of docker run.
            store: the volume for /var/lib/ollama; a new one unless given.
            network: the network; this world's own unless given.
            environment: its settings.
        """
        mount = ("--volume", f"{store or self.volume()}:/var/lib/ollama")
        name = f"{self.name}-{secrets.token_hex(2)}"
        self._removals.append(("rm", "--force", "--volumes", name))
        variables = [part for pair in environment.items() for part in ("--env", "=".join(pair))]
        docker(
            "run", "--detach", "--name", name, "--network", network or self.network(),
            "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true",
            "--tmpfs", "/tmp", "--memory", "2g", *mount,
            "--publish", "127.0.0.1::11434", *variables, *options, IMAGE,
        )  # fmt: skip
        return ModelServer(name)

    def destroy(self) -> None:
        """Remove everything."""
        for removal in reversed(self._removals):
            docker(*removal, check=False)


@dataclass
class Registry:
    """A running registry.

    Attributes:
        name: its container.
        before: how many lines it had printed before it was handed to this test.
    """

    name: str
    before: int = 0

    def log(self) -> str:
        """Return what it printed."""
        return docker("logs", self.name)

    def files_asked(self) -> list[str]:
        """Return the files that were downloaded: a part of the digest, and the range."""
        lines = self.log().splitlines()[self.before :]
        return [line[5:] for line in lines if line.startswith("file ")]

    @contextmanager
    def lent_to(self, world: World) -> Iterator[Registry]:
        """Let the servers of another world reach it, too, and forget what it was asked so far."""
        names = ("--alias", "registry", "--alias", "files")
        docker("network", "connect", *names, world.network(), self.name)
        try:
            yield Registry(self.name, len(self.log().splitlines()))
        finally:
            docker("network", "disconnect", "--force", world.network(), self.name)


@dataclass
class ModelServer:
    """A container of the model server.

    Attributes:
        name: the container.
    """

    name: str

    @property
    def url(self) -> str:
        """Ollama's address on this machine."""
        return "http://" + docker("port", self.name, "11434/tcp").splitlines()[0]

    @property
    def client(self) -> ollama.Client:
        """Ollama's client, from outside."""
        return ollama.Client(
            host=self.url,
            timeout=60,
            trust_env=False,
            headers={"Connection": "close"},  # nothing is left open when a test ends
        )

    def status(self) -> dict[str, Any]:
        """Return what `model-server status --json` prints."""
        found: dict[str, Any] = json.loads(self.run("model-server", "status", "--json"))
        return found

    def health(self) -> tuple[int, str]:
        """Return exit code and output of the health check."""
        done = subprocess.run(
            ["docker", "exec", self.name, "model-server", "health"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.strip()

    def run(self, *command: str) -> str:
        """Run a command in it and return what it printed."""
        return docker("exec", self.name, *command)

    def log(self) -> str:
        """Return what it printed."""
        return docker("logs", self.name)

    def state(self) -> dict[str, Any]:
        """Return what the engine knows of its process."""
        found: dict[str, Any] = engine.inspect(self.name)["State"]
        return found

    def wait_until(self, state: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until it has reached a state, and return its status.

        Raises:
            AssertionError: it did not, or it died; with its log.
        """

        def alive() -> None:
            if not self.state()["Running"]:
                raise RuntimeError(f"the model server died:\n{self.log()}")

        try:
            return until(
                lambda: found if (found := self.status())["state"] == state else None,
                seconds=seconds,
                what=f"the state {state}",
                alive=alive,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-5000:]}") from error

    def wait_until_it_ended(self, seconds: float = 30) -> int:
        """Wait for its end and return its exit code."""
        until(lambda: not self.state()["Running"], seconds=seconds, what="its end")
        code: int = self.state()["ExitCode"]
        return code
