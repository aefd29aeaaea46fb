"""Puts every service's package on the import path, as its own image does."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

for folder in ("gateway", "backend-stub", "ollama", "scripted-upstream", "tests"):
    # First, because the folder litellm/ would otherwise be taken for the package of that name.
    sys.path.insert(0, str(REPOSITORY / folder))

# Here and not in tests/stack, because tests/faults and tests/browser drive the same stack.
pytest_plugins = ["support.fixtures", "support.coroutines"]
