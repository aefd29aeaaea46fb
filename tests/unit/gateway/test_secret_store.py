"""The stack's secrets in their volumes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.config.problems import ConfigurationError
from gateway.secret_store import ensure_secrets

GOOD_KEY = "sk-0a1b2c3d4e5f6071829304a5b6c7d8e9"


def _values(base: Path) -> dict[str, str]:
    return {
        str(path.relative_to(base)): path.read_text(encoding="utf-8")
        for path in sorted(base.rglob("*"))
        if path.is_file()
    }


def test_first_run_generates_and_second_keeps(tmp_path: Path) -> None:
    """Everything is generated once; the next run changes nothing and says so."""
    first = ensure_secrets({"SECRETS_DIR": str(tmp_path)})
    values = _values(tmp_path)
    assert all(line.endswith(": generated") for line in first)
    second = ensure_secrets({"SECRETS_DIR": str(tmp_path)})
    assert all(line.endswith(": kept") for line in second)
    assert _values(tmp_path) == values
    assert len(set(values.values())) == 5


def test_each_reader_gets_its_own_folder(tmp_path: Path) -> None:
    """The backend's folder holds its key alone, and shared values are the same in both places."""
    ensure_secrets({"SECRETS_DIR": str(tmp_path)})
    values = _values(tmp_path)
    assert [name for name in values if name.startswith("backend/")] == [
        "backend/backend_virtual_key"
    ]
    assert values["gateway/gateway_db_password"] == values["postgres/gateway_db_password"]
    assert values["gateway/backend_virtual_key"] == values["backend/backend_virtual_key"]


def test_files_are_read_only_for_owner_and_group(tmp_path: Path) -> None:
    """A secret's mode is 0440, and no half-written file is left behind."""
    ensure_secrets({"SECRETS_DIR": str(tmp_path)})
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o440}
    assert not [path for path in files if path.name.startswith(".")]


def test_given_values_are_taken_and_never_printed(tmp_path: Path) -> None:
    """A value from a variable or a file is stored as it is; the line names its variable only."""
    password = tmp_path / "password"
    password.write_text("p@ss w:rd/%é'\"$`\n", encoding="utf-8")
    lines = ensure_secrets(
        {
            "SECRETS_DIR": str(tmp_path / "s"),
            "LITELLM_MASTER_KEY": GOOD_KEY,
            "POSTGRES_PASSWORD_FILE": str(password),
        }
    )
    assert "gateway/litellm_master_key: taken from LITELLM_MASTER_KEY" in lines
    assert "postgres/postgres_password: taken from POSTGRES_PASSWORD_FILE" in lines
    assert _values(tmp_path / "s")["postgres/postgres_password"] == "p@ss w:rd/%é'\"$`"
    assert not [line for line in lines if GOOD_KEY in line or "p@ss" in line]


def test_mounted_secret_is_found_without_a_variable(tmp_path: Path) -> None:
    """Compose mounts a secret under its name; an empty one is none."""
    mounted = tmp_path / "run"
    mounted.mkdir()
    (mounted / "litellm_master_key").write_text(GOOD_KEY, encoding="utf-8")
    (mounted / "postgres_password").write_text("", encoding="utf-8")
    lines = ensure_secrets({"SECRETS_DIR": str(tmp_path / "s"), "SECRETS_MOUNT": str(mounted)})
    assert "gateway/litellm_master_key: taken from LITELLM_MASTER_KEY_FILE" in lines
    assert "postgres/postgres_password: generated" in lines


@pytest.mark.parametrize(
    "key",
    [
        "sk-1234",
        "sk-0a1b2c3d4e5",
        "0a1b2c3d4e5f6071829304a5",
        "sk-changeme-changeme",
        "sk-aaaaaaaaaaaaaaaa",
    ],
)
def test_weak_master_key_is_refused(tmp_path: Path, key: str) -> None:
    """A key that is short, copied from a page or repetitive is refused, and nothing is written."""
    with pytest.raises(ConfigurationError) as raised:
        ensure_secrets({"SECRETS_DIR": str(tmp_path), "LITELLM_MASTER_KEY": key})
    assert "LITELLM_MASTER_KEY: the key given" in str(raised.value)
    assert key not in str(raised.value)
    assert _values(tmp_path) == {}


def test_master_key_is_no_backend_key(tmp_path: Path) -> None:
    """The backend cannot be given the master key."""
    with pytest.raises(ConfigurationError, match="BACKEND_VIRTUAL_KEY: is the master key"):
        ensure_secrets(
            {
                "SECRETS_DIR": str(tmp_path),
                "LITELLM_MASTER_KEY": GOOD_KEY,
                "BACKEND_VIRTUAL_KEY": GOOD_KEY,
            }
        )


def test_salt_key_in_use_is_not_replaced_by_accident(tmp_path: Path) -> None:
    """Another salt key is refused, unless the user says that nothing is stored with the old one."""
    ensure_secrets({"SECRETS_DIR": str(tmp_path)})
    wanted = {"SECRETS_DIR": str(tmp_path), "LITELLM_SALT_KEY": "another-salt"}
    with pytest.raises(ConfigurationError, match="LITELLM_SALT_KEY_REPLACE=true"):
        ensure_secrets(wanted)
    ensure_secrets({**wanted, "LITELLM_SALT_KEY_REPLACE": "true"})
    assert _values(tmp_path)["gateway/litellm_salt_key"] == "another-salt"


def test_lost_volume_is_filled_from_the_other(tmp_path: Path) -> None:
    """A password that one volume still has is copied to the one that was made again."""
    ensure_secrets({"SECRETS_DIR": str(tmp_path)})
    before = _values(tmp_path)
    (tmp_path / "gateway" / "gateway_db_password").unlink()
    ensure_secrets({"SECRETS_DIR": str(tmp_path)})
    assert _values(tmp_path) == before
