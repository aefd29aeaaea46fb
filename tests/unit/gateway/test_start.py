"""The checks of a start, and the environment that LiteLLM gets."""

from __future__ import annotations

import socket

import pytest

from gateway.config.checked import checked_config
from gateway.config.problems import ConfigurationError
from gateway.serve import _check_metrics_port

from .conftest import SHIPPED

KEY = "sk-0a1b2c3d4e5f6071829304a5b6c7d8e9"
BASE = {"LITELLM_CONFIG": str(SHIPPED)}
OPEN = {**BASE, "HOST": "0.0.0.0"}


def test_loopback_without_key_is_allowed() -> None:
    """A quick start on a user's own machine needs no key."""
    settings, _ = checked_config(BASE)
    assert settings.litellm_master_key is None


@pytest.mark.parametrize("key", ["", "sk-1234", "sk-your-key-goes-here"])
def test_open_gateway_needs_a_strong_key(key: str) -> None:
    """What others can reach does not start with a weak key or none, and the key is not shown."""
    with pytest.raises(ConfigurationError) as raised:
        checked_config({**OPEN, "LITELLM_MASTER_KEY": key})
    assert "LITELLM_MASTER_KEY: " in str(raised.value)
    assert not key or key not in str(raised.value).replace("sk-$(openssl", "")


def test_database_needs_a_key_too() -> None:
    """Keys and budgets in a database need an admin."""
    with pytest.raises(ConfigurationError, match="LITELLM_MASTER_KEY: is unset"):
        checked_config({**BASE, "DATABASE_URL": "postgresql://u:p@h/d"})


def test_all_that_is_wrong_is_said_at_once() -> None:
    """A value that cannot be read hides neither a chain that leads nowhere nor a weak key."""
    wrong = {
        **OPEN,
        "REQUEST_TIMEOUT": "soon",
        "EXTRACTION_FALLBACKS": "nobody",
        "LITELLM_MASTER_KEY": "sk-1234",
    }
    with pytest.raises(ConfigurationError) as raised:
        checked_config(wrong)
    found = [problem.where for problem in raised.value.problems]
    assert found == ["REQUEST_TIMEOUT", "EXTRACTION_FALLBACKS", "LITELLM_MASTER_KEY"]


def test_what_cannot_be_read_is_said_once() -> None:
    """A key whose file is missing is not called unset as well."""
    with pytest.raises(ConfigurationError) as raised:
        checked_config({**OPEN, "LITELLM_MASTER_KEY_FILE": "/no/such/file"})
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize("same", [True, False], ids=["the gateway's own", "somebody's"])
def test_a_metrics_port_that_is_taken_is_refused_at_once(*, same: bool) -> None:
    """Before LiteLLM is imported, by the variable's name."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"METRICS_PORT": f"{port}", "PORT": f"{port}" if same else "4000"}
        settings, _ = checked_config({**BASE, **ports})
        with pytest.raises(ConfigurationError, match=f"METRICS_PORT: {port} is taken by"):
            _check_metrics_port(settings)


def test_each_of_several_processes_needs_a_metrics_port() -> None:
    """A port behind METRICS_PORT that another program has is refused, if a process needs it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _check_metrics_port(checked_config({**BASE, "METRICS_PORT": f"{port - 1}"})[0])
        several = {"METRICS_PORT": f"{port - 2}", "GATEWAY_PROCESSES": "2"}
        settings, _ = checked_config({**BASE, **several})
        with pytest.raises(ConfigurationError, match=f"METRICS_PORT: {port} is taken by"):
            _check_metrics_port(settings)


def test_without_a_metrics_port_none_is_looked_at() -> None:
    """Metrics are off unless somebody asks for them."""
    settings, _ = checked_config(BASE)
    _check_metrics_port(settings)
    assert settings.metrics_port is None
