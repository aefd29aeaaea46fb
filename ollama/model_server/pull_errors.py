"""What Ollama's words for a failed pull mean, and what to do about each."""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from model_server.gguf import file_name
from model_server.names import LIBRARY_HOST, ModelName
from model_server.problem import Problem


@dataclass(frozen=True)
class Attempt:
    """A failed pull.

    Attributes:
        name: the model wanted.
        source: the same where it was pulled from.
        local: the models that are there.
    """

    name: ModelName
    source: ModelName
    local: Iterable[ModelName]

    def explain(self, error: str) -> Problem:
        """Return the problem behind Ollama's words."""
        text = error.removeprefix("pull model manifest: ").strip()
        explain = next(
            (make for pattern, make in _MEANINGS if re.search(pattern, text, re.IGNORECASE)),
            _unknown,
        )
        return explain(self, text)

    @property
    def other_ways(self) -> str:
        """What helps without this registry."""
        local = ", ".join(sorted(map(str, self.local)))
        ways = [
            f"put the weights into ollama/models as {file_name(self.name)}",
            *([f"set OLLAMA_MODEL to what is here ({local})"] if local else []),
        ]
        return ", or ".join(ways)


def _missing(attempt: Attempt, _text: str) -> Problem:
    names = {str(each): each for each in attempt.local}
    near = difflib.get_close_matches(str(attempt.name), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}, which is here? " if near else ""
    return Problem(
        f"there is no model {attempt.name} at {attempt.source.host}",
        f"{hint}set OLLAMA_MODEL to a model that exists, or {attempt.other_ways}",
        again="never",
    )


def _plain_http(attempt: Attempt, _text: str) -> Problem:
    return Problem(
        f"{attempt.source.host} speaks plain http, which is refused",
        "give it TLS, or set OLLAMA_REGISTRY_INSECURE=true if the network can be trusted",
        again="never",
    )


def _no_redirect(attempt: Attempt, _text: str) -> Problem:
    return Problem(
        f"{attempt.source.host} sends files itself, Ollama wants to be redirected to them",
        "set the mirror up to redirect downloads to another host name (ollama/README.md, mirror)",
        again="never",
    )


def _untrusted(attempt: Attempt, text: str) -> Problem:
    return Problem(
        f"the certificate of {attempt.source.host} is not trusted: {text}",
        "mount a file with its certificate authority and name it in SSL_CERT_FILE",
        again="never",
    )


def _disk_full(attempt: Attempt, _text: str) -> Problem:
    return Problem(
        f"the disk is full, {attempt.name} does not fit",
        "free space where the volume of /var/lib/ollama lies, or choose a smaller model",
        again="later",
    )


def _denied(attempt: Attempt, text: str) -> Problem:
    return Problem(
        f"{attempt.source.host} does not give out {attempt.name}: {text}",
        f"choose a model that needs no login, or {attempt.other_ways}",
        again="never",
    )


def _too_new(attempt: Attempt, _text: str) -> Problem:
    return Problem(
        f"{attempt.name} needs a newer Ollama than this image has",
        "choose another model, or build the image on a newer Ollama",
        again="never",
    )


def _unreachable(attempt: Attempt, text: str) -> Problem:
    mirror = (
        "check the network (HTTPS_PROXY), or set OLLAMA_REGISTRY to a mirror"
        if attempt.source.host == LIBRARY_HOST
        else "check OLLAMA_REGISTRY"
    )
    return Problem(
        f"{attempt.source.host} cannot be reached: {text}",
        f"{mirror}, or {attempt.other_ways}",
        again="soon",
    )


def _unknown(attempt: Attempt, text: str) -> Problem:
    return Problem(
        f"pulling {attempt.name} failed: {text}",
        f"it will be tried again; if it keeps failing, {attempt.other_ways}",
        again="soon",
    )


_MEANINGS: tuple[tuple[str, Callable[[Attempt, str], Problem]], ...] = (
    (r"file does not exist|manifest unknown|name unknown", _missing),
    (r"server gave HTTP response to HTTPS client|insecure protocol", _plain_http),
    (r"no Location header", _no_redirect),
    (r"x509|certificate", _untrusted),
    (r"no space left on device", _disk_full),
    (r"unauthorized|access denied|^40[13]\b", _denied),
    (r"^412\b|newer version of ollama", _too_new),
    (
        r"no such host|dial tcp|connection re(fused|set)|unreachable|timeout|deadline exceeded|EOF",
        _unreachable,
    ),
)
