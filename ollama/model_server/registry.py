"""What a model weighs before it is pulled: its manifest, as the registry has it.

Only advice: whatever goes wrong here, Ollama's own attempt decides.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

import ssl
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

from model_server.names import ModelName

_ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
_SECONDS = 10.0


class _Layer(BaseModel):
    digest: str
    size: int


class _Manifest(BaseModel):
    config: _Layer | None = None
    layers: list[_Layer]


def missing_bytes(name: ModelName, store: Path, *, insecure: bool) -> int | None:
    """Return how many bytes of a model are not in Ollama's store yet.

    Args:
        name: the model where it is pulled from.
        store: the folder OLLAMA_MODELS; parts of an earlier download in it count as there.
        insecure: ask over plain http.

    Returns:
        The bytes, None when the registry does not say.
    """
    url = f"{'http' if insecure else 'https'}://{name.host}/v2/{name.namespace}/{name.model}"
    try:
        answer = httpx.get(
            f"{url}/manifests/{name.tag}",
            headers={"Accept": _ACCEPT},
            timeout=_SECONDS,
            follow_redirects=True,
            verify=ssl.create_default_context(),  # the system's authorities, as Ollama uses them
        )
        answer.raise_for_status()
        manifest = _Manifest.model_validate_json(answer.content)
    except (httpx.HTTPError, httpx.InvalidURL, ValidationError):
        return None
    layers = {each.digest: each.size for each in (manifest.config, *manifest.layers) if each}
    return sum(max(0, size - _present(store, digest)) for digest, size in layers.items())


def _present(store: Path, digest: str) -> int:
    """Return the bytes of a blob that take up disk already."""
    blob = store / "blobs" / digest.replace(":", "-")
    for path in (blob, blob.with_name(f"{blob.name}-partial")):
        if path.exists():
            return path.stat().st_blocks * 512  # a part is a sparse file of the full size
    return 0
