"""What people read about a failed pull: Ollama 0.17.4's own words, as seen, and our advice."""

from __future__ import annotations

import pytest

from model_server.names import ModelName
from model_server.pull_errors import Attempt

LOCAL = (ModelName("smollm2", "135m"), ModelName("llama3.2", "1b"))


def explained(error: str, name: str = "llama3.2:2b", mirror: str = "") -> tuple[str, str, str]:
    """Return reason, what to do, and when to try again."""
    wanted = ModelName.parse(name)
    problem = Attempt(wanted, wanted.on(mirror), LOCAL).explain(error)
    return problem.reason, problem.what_to_do, problem.again


def test_a_model_that_does_not_exist() -> None:
    """Its name, the nearest that is here, and each way out are named; it is not tried again."""
    reason, what_to_do, again = explained("pull model manifest: file does not exist")

    assert reason == "there is no model llama3.2:2b at registry.ollama.ai"
    assert "did you mean llama3.2:1b, which is here?" in what_to_do
    assert "OLLAMA_MODEL" in what_to_do
    assert "llama3.2@2b.gguf" in what_to_do
    assert again == "never"


def test_a_name_like_no_other_gets_no_hint() -> None:
    """Nothing is suggested when nothing here is alike."""
    assert "did you mean" not in explained("file does not exist", "qwq:32b")[1]


@pytest.mark.parametrize(
    "error",
    [
        "pull model manifest: dial tcp: lookup registry.ollama.ai on 127.0.0.11:53: no such host",
        "pull model manifest: dial tcp 10.0.0.1:443: connect: connection refused",
        "net/http: TLS handshake timeout",
        "read tcp: connection reset by peer",
        "context deadline exceeded",
        "unexpected EOF",
    ],
)
def test_the_library_cannot_be_reached(error: str) -> None:
    """A mirror, a GGUF file, another model: all are named, and it is tried again soon."""
    reason, what_to_do, again = explained(error)

    assert reason.startswith("registry.ollama.ai cannot be reached: ")
    for way in ("OLLAMA_REGISTRY", "llama3.2@2b.gguf", "OLLAMA_MODEL", "smollm2:135m"):
        assert way in what_to_do
    assert again == "soon"


def test_a_mirror_cannot_be_reached() -> None:
    """The mirror's host and its variable are named."""
    reason, what_to_do, _ = explained("dial tcp: connection refused", mirror="box:5000")

    assert reason.startswith("box:5000 cannot be reached")
    assert "check OLLAMA_REGISTRY" in what_to_do


@pytest.mark.parametrize(
    ("error", "reason", "what_to_do", "again"),
    [
        ("http: server gave HTTP response to HTTPS client", "plain http, which is refused",
         "OLLAMA_REGISTRY_INSECURE=true", "never"),
        ("http: no Location header in response", "sends files itself", "ollama/README.md", "never"),
        ("tls: failed to verify certificate: x509: unknown authority", "is not trusted",
         "SSL_CERT_FILE", "never"),
        ("write /var/lib/ollama/models/blobs/x: no space left on device", "the disk is full",
         "choose a smaller model", "later"),
        ("pull model manifest: unauthorized: access denied", "does not give out",
         "needs no login", "never"),
        ("pull model manifest: 412: The model requires a newer version of Ollama.",
         "needs a newer Ollama", "another model", "never"),
        ("pull model manifest: 503: later, please", "503: later, please", "tried again", "soon"),
    ],
)  # fmt: skip
def test_other_errors(error: str, reason: str, what_to_do: str, again: str) -> None:
    """Each error has a reason in words, something to do, and a time to try again."""
    found = explained(error)

    assert reason in found[0]
    assert what_to_do in found[1]
    assert found[2] == again
