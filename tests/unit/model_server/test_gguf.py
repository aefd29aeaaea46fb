"""Local GGUF files: which one is meant, when it is imported, what can be wrong with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from model_server import disk, gguf
from model_server.names import ModelName
from model_server.problem import Problem
from model_server.server import Ollama
from support.fake_ollama import FakeOllama

NAME = ModelName("tiny", "1b")
WEIGHTS = b"GGUF and so on"
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def place(folder: Path, content: bytes = WEIGHTS) -> Path:
    """Write a model's file."""
    path = folder / "tiny@1b.gguf"
    path.write_bytes(content)
    return path


def ensure(path: Path, server: Ollama) -> list[str]:
    """Import a file and return the steps that were reported."""
    steps: list[str] = []
    gguf.ensure(path, NAME, server, path.parent, steps.append)
    return steps


@pytest.mark.parametrize(
    ("file", "name"),
    [("tiny@1b.gguf", "tiny:1b"), ("tiny.gguf", "tiny:latest"), ("Tiny@1B.gguf", "tiny:1b"),
     ("qwen2.5@0.5b-q4_K_M.gguf", "qwen2.5:0.5b-q4_K_M")],
)  # fmt: skip
def test_a_file_is_the_model_that_it_is_called_after(tmp_path: Path, file: str, name: str) -> None:
    """NAME@TAG.gguf is the model NAME:TAG, NAME.gguf is NAME:latest."""
    (tmp_path / file).touch()

    found = gguf.find(tmp_path, ModelName.parse(name))

    assert found
    assert found.name == file


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A file of another tag, or one whose name cannot be a model's, is not taken."""
    for name in ("tiny@2b.gguf", "tiny.gguf", "tiny@1b", "tiny@1b.gguf.part", "my tiny@1b.gguf"):
        (tmp_path / name).touch()

    assert gguf.find(tmp_path, NAME) is None


def test_no_folder_is_no_file(tmp_path: Path) -> None:
    """Where nothing is mounted there is no file, and no error."""
    assert gguf.find(tmp_path / "absent", NAME) is None


def test_a_new_file_is_uploaded_and_made_a_model(
    tmp_path: Path, fake: FakeOllama, server: Ollama
) -> None:
    """Its bytes go to Ollama under their digest, then the model is created from that digest."""
    ensure(place(tmp_path), server)

    assert fake.blobs == {f"sha256:{DIGEST}"}
    assert fake.models == {"tiny:1b": DIGEST}
    assert fake.asked("/api/create")[0]["files"] == {"tiny@1b.gguf": f"sha256:{DIGEST}"}


def test_the_same_file_is_not_imported_again(
    tmp_path: Path, fake: FakeOllama, server: Ollama
) -> None:
    """A model that has these very weights is left as it is."""
    fake.models["tiny:1b"] = DIGEST

    ensure(place(tmp_path), server)

    assert {path for _, path, _ in fake.requests} == {"/api/show"}


def test_a_changed_file_is_imported_again(tmp_path: Path, fake: FakeOllama, server: Ollama) -> None:
    """Once the digest is another, the model is made again of it."""
    fake.models["tiny:1b"] = "0" * 64

    ensure(place(tmp_path), server)

    assert fake.models == {"tiny:1b": DIGEST}


def test_a_blob_that_is_there_is_not_sent_again(
    tmp_path: Path, fake: FakeOllama, server: Ollama
) -> None:
    """After an import that was cut off, the file that arrived is used."""
    fake.blobs.add(f"sha256:{DIGEST}")

    ensure(place(tmp_path), server)

    assert ("POST", f"/api/blobs/sha256:{DIGEST}", {}) not in fake.requests
    assert fake.models == {"tiny:1b": DIGEST}


def test_a_file_that_is_no_gguf_is_named(tmp_path: Path, fake: FakeOllama, server: Ollama) -> None:
    """A web page or Git LFS pointer in its place is a problem that does not pass by itself."""
    with pytest.raises(Problem, match=r"tiny@1b\.gguf is not a GGUF file") as raised:
        ensure(place(tmp_path, b"version https://git-lfs.github.com/spec/v1"), server)

    assert raised.value.again == "never"
    assert not fake.requests


def test_a_file_that_ollama_refuses_is_named(
    tmp_path: Path, fake: FakeOllama, server: Ollama
) -> None:
    """Ollama's own words about the file are passed on."""
    fake.errors["/api/create"] = "unsupported architecture"

    with pytest.raises(
        Problem, match=r"tiny@1b\.gguf cannot be imported: unsupported arch"
    ) as raised:
        ensure(place(tmp_path), server)

    assert raised.value.again == "never"


def test_an_import_needs_room_for_the_file(
    tmp_path: Path, fake: FakeOllama, server: Ollama, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent when the disk cannot hold the file once more."""
    monkeypatch.setattr(disk, "RESERVE", 10**18)

    with pytest.raises(Problem, match="of disk"):
        ensure(place(tmp_path), server)

    assert not fake.blobs
