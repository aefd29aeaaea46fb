"""Local weights: NAME@TAG.gguf is the model NAME:TAG, NAME.gguf is NAME:latest."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import ollama

from model_server import disk
from model_server.names import ModelName
from model_server.problem import Problem
from model_server.server import Ollama

_MAGIC = b"GGUF"
_log = logging.getLogger(__name__)


def file_name(name: ModelName) -> str:
    """Return how a file with this model's weights has to be called."""
    return f"{name.model}@{name.tag}.gguf"


def find(folder: Path, name: ModelName) -> Path | None:
    """Return the file with that model's weights, None when there is none."""
    return next((each for each in sorted(folder.glob("*.gguf")) if _is(each, name)), None)


def _is(path: Path, name: ModelName) -> bool:
    model, at, tag = path.name.removesuffix(".gguf").rpartition("@")
    try:
        found = ModelName(model, tag) if at else ModelName(tag)
    except ValueError as error:
        _log.warning("%s is not used: %s; name it NAME@TAG.gguf", path.name, error)
        return False
    return found.folded == name.folded


def ensure(
    path: Path, name: ModelName, server: Ollama, store: Path, report: Callable[[str], None]
) -> None:
    """Import a file unless the model already has these very weights.

    Raises:
        Problem: the file cannot be read or is no model, or the disk is too full.
    """
    report(f"reading {path.name}")
    digest = _digest(path)
    if server.weights(name) == digest:
        return
    try:
        if not server.has_blob(digest):
            disk.require(store, path.stat().st_size, f"importing {path.name}")
            report(f"copying {path.name} ({disk.human(path.stat().st_size)})")
            server.upload(path, digest)
        report(f"creating {name} from {path.name}")
        server.create(name, path.name, digest)
    except ollama.ResponseError as error:
        raise Problem(
            f"{path.name} cannot be imported: {error.error}",
            "use a complete GGUF file of an architecture that this Ollama supports",
            again="later" if "no space left" in error.error else "never",
        ) from error
    _log.info("imported %s from %s", name, path.name)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise Problem(
                    f"{path.name} is not a GGUF file",
                    "download it again: the file may be a web page or a Git LFS pointer",
                    again="never",
                )
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Problem(
            f"{path.name} cannot be read: {error.strerror}",
            "let everybody read it: chmod a+r ollama/models/*.gguf",
            again="never",
        ) from error
