"""The transcript of the first ten minutes: documented commands, nothing of a machine's own."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType

import pytest

from support.documents import GUIDES, text_of
from support.stack import REPOSITORY

PAGE = "docs/first-ten-minutes.md"
TRANSCRIPT = text_of(PAGE)
DOCUMENTED = "\n".join(text_of(guide) for guide in GUIDES if guide != PAGE)


def load() -> ModuleType:
    """Return the script, which is not a package's module."""
    spec = importlib.util.spec_from_file_location(
        "first_ten_minutes", REPOSITORY / "docs/first_ten_minutes.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


SCRIPT = load()
COMMANDS = [command for _, command in SCRIPT.STEPS]


@pytest.mark.parametrize("command", COMMANDS, ids=[each[:20] for each in COMMANDS])
def test_what_is_run_is_what_the_documents_say(command: str) -> None:
    """Each line of each command is in a guide, so that a newcomer would type it."""
    assert not [line for line in command.splitlines() if line not in DOCUMENTED]


def test_the_transcript_has_these_commands_in_this_order() -> None:
    """The page was made by this script, and each of its steps ended well."""
    shown = re.findall(r"^```console\n((?:[$>] .*\n)+)", TRANSCRIPT, re.MULTILINE)
    typed = ["\n".join(line[2:] for line in block.splitlines()) for block in shown]

    assert typed == COMMANDS
    assert "exit code" not in TRANSCRIPT


def test_the_transcript_shows_no_secret_no_path_and_no_mirror() -> None:
    """Keys are cut, paths begin at ~, and no host is named that a reader does not have."""
    keys = re.findall(r"sk-\w+", TRANSCRIPT)
    paths = re.findall(r"(?<![\w.~:/-])/(?:root|home|tmp|work|Users|srv|opt)\b\S*", TRANSCRIPT)
    hosts = set(re.findall(r"https?://([A-Za-z0-9.-]+)", TRANSCRIPT))

    assert (keys, paths) == ([], [])
    assert hosts <= {*SCRIPT.PUBLIC_HOSTS, "HOST"}


def test_the_transcript_says_when_and_on_what() -> None:
    """Date, cores and memory, and whether images were there before."""
    assert re.search(
        r"^\d{4}-\d\d-\d\d\. .*\d+ cores, \d+ GB of memory\. "
        r"(Bare:|A container engine ran)",
        TRANSCRIPT,
        re.MULTILINE,
    )


def test_what_is_this_machines_own_is_replaced() -> None:
    """A key, a path, a port, the project, this host, a mirror, a password in a URL, colours."""
    scrub = SCRIPT.Scrubber(
        {"/data/x": "~", "/data/x/clone": "~/clone"},
        {41234: 4000},
        "first-7f",
        {"vm"},
    )
    text = (
        "\x1b[32mOPENAI_API_KEY=sk-0123456789abcdef\x1b[0m in /data/x/clone at /data/x, "
        "http://127.0.0.1:41234 first-7f-litellm-1 on vm of llvm "
        "from https://anna:secret@pypi.example.org/simple"
    )

    assert scrub(text) == (
        "OPENAI_API_KEY=sk-… in ~/clone at ~, "
        "http://127.0.0.1:4000 litellm-proxy-litellm-1 on HOST of llvm from https://HOST/simple"
    )


def test_a_long_output_is_cut_in_the_middle_and_says_so() -> None:
    """Its first and last lines stay."""
    found = SCRIPT.shortened("\n".join(str(number) for number in range(200)))

    assert (found[0], found[-1]) == ("0", "199")
    assert "… 140 lines left out …" in found
    assert len(found) == 61


def test_composes_progress_is_counted_and_not_shown() -> None:
    """What a terminal would overwrite does not hide what was said between it."""
    moves = ' Container a-1  Creating\n Volume "a_data"  Created\n'

    found = SCRIPT.shortened(f"starting\n{moves}up\n")

    assert found == ["starting", "… 2 lines of compose left out …", "up"]


@pytest.mark.parametrize(
    ("engine", "images", "words"),
    [
        (False, (), "Bare: no container engine answered"),
        (True, (), "none of the stack's images was there"),
        (True, ("litellm", "postgres"), "2 images were there already (litellm, postgres)"),
    ],
)
def test_it_says_honestly_what_was_there(engine: bool, images: tuple[str, ...], words: str) -> None:
    """A bare machine, an engine without images, and images that save the longest part."""
    assert words in SCRIPT.Machine("Debian", 2, 8, engine, images).words
