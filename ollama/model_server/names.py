"""Names of models as Ollama writes them: [[HOST/]NAMESPACE/]MODEL[:TAG].

The grammar is Ollama's: https://github.com/ollama/ollama/blob/v0.17.4/types/model/name.go
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

LIBRARY_HOST = "registry.ollama.ai"
LIBRARY_NAMESPACE = "library"

_PARTS = {
    "host": re.compile(r"\w[\w.:-]{0,349}", re.ASCII),
    "namespace": re.compile(r"\w[\w-]{0,79}", re.ASCII),
    "model": re.compile(r"\w[\w.-]{0,79}", re.ASCII),
    "tag": re.compile(r"\w[\w.-]{0,79}", re.ASCII),
}


@dataclass(frozen=True)
class ModelName:
    """A model's full name; two spellings of one name are equal once `folded`."""

    model: str
    tag: str = "latest"
    namespace: str = LIBRARY_NAMESPACE
    host: str = LIBRARY_HOST

    def __post_init__(self) -> None:
        for part, pattern in _PARTS.items():
            if not pattern.fullmatch(getattr(self, part)):
                raise ValueError(f"{getattr(self, part)!r} cannot be the {part} of a model's name")

    def __str__(self) -> str:
        if self.host != LIBRARY_HOST:
            return self.full
        prefix = "" if self.namespace == LIBRARY_NAMESPACE else f"{self.namespace}/"
        return f"{prefix}{self.model}:{self.tag}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that a person wrote, e.g. "llama3.2" or "hf.co/org/model:Q4_K_M".

        Raises:
            ValueError: it is not a name; says which part is wrong.
        """
        path, colon, tag = text.rpartition(":")
        if not colon or "/" in tag:
            path, colon, tag = text, "", ""
        *prefix, model = path.split("/")
        parts = dict(zip(("namespace", "host"), reversed(prefix), strict=False))
        if len(prefix) > len(parts):
            raise ValueError("a model's name has at most two slashes: HOST/NAMESPACE/MODEL:TAG")
        return cls(model, **parts, **({"tag": tag} if colon else {}))

    @property
    def full(self) -> str:
        """The name with every part."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def folded(self) -> str:
        """The full name for comparing: Ollama does not tell upper from lower case."""
        return self.full.lower()

    def on(self, registry: str) -> Self:
        """Return where a mirror, given as host[:port][/namespace], has this model.

        A name that already has a host of its own is not mirrored: it is returned as it is.
        """
        if not registry or self.host != LIBRARY_HOST:
            return self
        host, _, namespace = registry.partition("/")
        return replace(self, host=host, namespace=namespace or self.namespace)


def manifest_path(name: ModelName, store: Path) -> Path:
    """Return the file by which Ollama's store (the folder OLLAMA_MODELS) has a model."""
    return store / "manifests" / name.host / name.namespace / name.model / name.tag
