"""How large a model is, asked before it is pulled."""

from __future__ import annotations

from pathlib import Path

from model_server.names import ModelName
from model_server.registry import missing_bytes
from support.fake_ollama import FakeRegistry

NAME = ModelName("tiny")


def test_the_layers_are_added_up(registry: FakeRegistry, tmp_path: Path) -> None:
    """With an empty store every layer of the manifest counts."""
    registry.has("tiny", aa=1000, bb=24)

    assert missing_bytes(NAME.on(registry.host), tmp_path, insecure=True) == 1024


def test_layers_that_are_there_do_not_count(registry: FakeRegistry, tmp_path: Path) -> None:
    """A layer in the store, or the part of it that is, need not fit once more."""
    registry.has("tiny", aa=8192, bb=4096 * 4)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "sha256-aa").write_bytes(b"x" * 8192)
    with (tmp_path / "blobs" / "sha256-bb-partial").open("wb") as part:
        part.write(b"x" * 4096)
        part.truncate(4096 * 4)  # as Ollama does: the full size, with holes
        part.flush()

    assert missing_bytes(NAME.on(registry.host), tmp_path, insecure=True) == 4096 * 3


def test_a_registry_that_does_not_know_it_says_nothing(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    """An error status leaves the size unknown."""
    assert missing_bytes(NAME.on(registry.host), tmp_path, insecure=True) is None


def test_plain_http_is_not_spoken_unless_asked(registry: FakeRegistry, tmp_path: Path) -> None:
    """Without `insecure` a registry on plain http leaves the size unknown, having seen nothing."""
    registry.has("tiny", aa=1)

    assert missing_bytes(NAME.on(registry.host), tmp_path, insecure=False) is None
    assert not registry.requests


def test_nobody_there_leaves_it_unknown(tmp_path: Path) -> None:
    """A registry that cannot be reached leaves the size unknown."""
    assert missing_bytes(NAME.on("127.0.0.1:9"), tmp_path, insecure=True) is None
