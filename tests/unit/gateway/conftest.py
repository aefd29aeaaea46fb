"""A configuration file like the one shipped, and a way to render it with made-up variables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.document import parse_config
from gateway.config.problems import ConfigurationError
from gateway.config.render import EffectiveConfig, render
from gateway.config.settings import load_settings

SHIPPED = Path(__file__).parents[3] / "litellm" / "litellm_config.yaml"
NAME = Path("litellm_config.yaml")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Put the root logger back, which commands set up."""
    root, own = logging.getLogger(), logging.getLogger("gateway")
    handlers, levels = root.handlers[:], (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


@pytest.fixture
def rendered() -> Callable[..., EffectiveConfig]:
    """Render the shipped file, changed by (old, new) pairs, with the variables given."""

    def _rendered(*changes: tuple[str, str], **variables: str) -> EffectiveConfig:
        text = SHIPPED.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, f"the shipped file holds no {old!r}"
            text = text.replace(old, new)
        return render(parse_config(NAME, text), load_settings(variables), variables)

    return _rendered


@pytest.fixture
def complaint(rendered: Callable[..., EffectiveConfig]) -> Callable[..., str]:
    """Return what is said about a file that cannot be used."""

    def _complaint(*changes: tuple[str, str], **variables: str) -> str:
        with pytest.raises(ConfigurationError) as raised:
            rendered(*changes, **variables)
        return str(raised.value)

    return _complaint


def parameters(effective: EffectiveConfig, alias: str) -> dict[str, Any]:
    """Return the litellm_params of the first deployment of `alias`."""
    found: dict[str, Any] = next(
        deployment["litellm_params"]
        for deployment in effective.config["model_list"]
        if deployment["model_name"] == alias
    )
    return found
