"""A backup that the real 0.1 made of itself comes back: rows, keys, and notes of its journal.

What 0.1 itself brings into the database of it was recorded beside it; see support.version_01.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support import kept_data, version_01
from support.scripted import ask
from support.stack import Stack
from support.version_01 import ANNA, BACKEND, BLOCKED, PROVIDER_KEY, SPENT
from support.wait import until


@pytest.fixture(scope="module")
def wanted() -> dict[str, Any]:
    """Return what 0.1 has in its database when nothing is left in its journal."""
    found: dict[str, Any] = json.loads(version_01.RESULT.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def restored(wanted: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Yield a stack of today's into which the backup was restored, with every cost booked."""
    file = tmp_path_factory.mktemp("version-0.1") / "stack.backup"
    file.write_bytes(gzip.decompress(version_01.BACKUP.read_bytes()))
    with version_01.stack() as stack:
        stack.run("restore", str(file))
        stack.compose("up", "--detach", "--no-build", "--wait", "gateway", "scripted-upstream")
        until(
            lambda: kept_data.booked(stack, wanted["answered"]),
            seconds=30,
            what="what was in the journal to be booked",
        )
        yield stack


def test_rows_and_totals_are_those_that_01_itself_would_have(
    restored: Stack, wanted: dict[str, Any]
) -> None:
    """Each cost once, also of answers amid which 0.1 was killed, and all that they add to."""
    found = kept_data.result(restored)

    assert found["rows"] == wanted["rows"]
    for kind, spends in wanted["spent by"].items():
        assert found["spent by"][kind] == pytest.approx(spends, rel=1e-9), kind


def test_its_keys_do_what_they_did(restored: Stack) -> None:
    """Those in use are answered, a blocked one and one with its budget passed are not."""
    allowed = {key: ask(restored, key).status_code for key in (BACKEND, ANNA, BLOCKED, SPENT)}

    assert allowed == {BACKEND: 200, ANNA: 200, BLOCKED: 401, SPENT: 429}


def test_a_provider_key_that_it_stored_still_decrypts(restored: Stack) -> None:
    """By the salt key that is in the backup."""
    assert kept_data.stored_key(restored) == PROVIDER_KEY
