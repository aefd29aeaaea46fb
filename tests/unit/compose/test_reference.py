"""The generated pages of docs/reference are what `./run docs` would write."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from support.stack import REPOSITORY


def generator() -> ModuleType:
    """Return docs/generate.py as a module; docs/ is not a package."""
    spec = importlib.util.spec_from_file_location("generate", REPOSITORY / "docs/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = generator()


@pytest.mark.parametrize("name", sorted(GENERATE.PAGES))
def test_a_page_is_what_would_be_written(name: str) -> None:
    """A price, variable or limit that changed without `./run docs` is found here."""
    written = (REPOSITORY / "docs/reference" / name).read_text()

    assert re.search(r"\n\*As of 20\d\d-\d\d-\d\d\.\*\n$", written)
    assert GENERATE.undated(written) == GENERATE.PAGES[name]()


def test_no_other_page_is_among_the_generated_ones() -> None:
    """A page that is no longer generated is not left behind."""
    found = {path.name for path in (REPOSITORY / "docs/reference").iterdir()}

    assert found == GENERATE.PAGES.keys()
