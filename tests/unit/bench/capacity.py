"""docs/capacity.py as a module; docs/ is no package."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from support.stack import REPOSITORY


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("capacity", REPOSITORY / "docs/capacity.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["capacity"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


CAPACITY = _load()
