"""Names of models, as people write them and as Ollama reads them."""

from __future__ import annotations

import pytest

from model_server.names import ModelName


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("llama3.2", "registry.ollama.ai/library/llama3.2:latest", "llama3.2:latest"),
        ("smollm2:135m", "registry.ollama.ai/library/smollm2:135m", "smollm2:135m"),
        ("me/mine:Q4", "registry.ollama.ai/me/mine:Q4", "me/mine:Q4"),
        ("hf.co/org/m-GGUF:Q4_K_M", "hf.co/org/m-GGUF:Q4_K_M", "hf.co/org/m-GGUF:Q4_K_M"),
        ("box:5000/library/m", "box:5000/library/m:latest", "box:5000/library/m:latest"),
    ],
)
def test_a_name_is_read_as_ollama_reads_it(text: str, full: str, short: str) -> None:
    """Host, namespace and tag that are left out are the library's and latest."""
    name = ModelName.parse(text)

    assert (name.full, str(name)) == (full, short)


@pytest.mark.parametrize("text", ["", ":", "m:", "a/b/c/d", "-m", "m m", "ü", "m:t/x:", "m@sha256"])
def test_what_is_no_name_is_refused(text: str) -> None:
    """A text outside Ollama's grammar raises an error."""
    with pytest.raises(ValueError, match=r"cannot be the|at most two slashes"):
        ModelName.parse(text)


def test_a_mirror_keeps_namespace_and_tag() -> None:
    """On a mirror a model has the same namespace, name and tag under another host."""
    assert ModelName.parse("me/m:1").on("box:5000").full == "box:5000/me/m:1"


def test_a_mirror_may_bring_its_own_namespace() -> None:
    """A namespace in the mirror's address takes the place of the model's."""
    assert ModelName.parse("m:1").on("box/ai").full == "box/ai/m:1"


def test_a_name_with_a_host_is_not_mirrored() -> None:
    """A model that names its registry is pulled from there, mirror or not."""
    assert ModelName.parse("hf.co/o/m").on("box").full == "hf.co/o/m:latest"


def test_upper_and_lower_case_are_one_name() -> None:
    """Names that differ in case only are the same to Ollama, and here."""
    assert ModelName.parse("SmolLM2:135M").folded == ModelName.parse("smollm2:135m").folded
