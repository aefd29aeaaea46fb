"""providers/*.env: a provider each, ready to be copied to .env."""

from __future__ import annotations

import re

from support.stack import REPOSITORY

PROVIDER_FILES = {path.stem: path for path in sorted((REPOSITORY / "providers").glob("*.env"))}


def active(name: str) -> dict[str, str]:
    """Return the variables that a provider's file sets, those with an empty value too."""
    return dict(re.findall(r"^(\w+)=(.*)$", PROVIDER_FILES[name].read_text(), re.MULTILINE))


def shown(name: str) -> dict[str, str]:
    """Return the variables that a provider's file offers behind a comment sign."""
    return dict(re.findall(r"^#(\w+)=(.*)$", PROVIDER_FILES[name].read_text(), re.MULTILINE))
