"""What is found in .env and in the shell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.doctor.examine import examine
from gateway.doctor.seen import EnvFile, Port
from unit.doctor.healthy import HEALTHY, env, only


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """A healthy stack has no finding, also with a provider that nobody asks unreachable."""
    assert examine(HEALTHY) == []


def test_windows_line_ends_are_named_by_line_and_can_be_mended() -> None:
    """CRLF is found with its lines; the repair names the same lines."""
    finding = only("unclean_lines", env("A=1\r\n# two\nOLLAMA_MODEL=llama3.2\r\n"))

    assert "CRLF" in finding.evidence
    assert finding.repair
    assert (finding.repair.action, finding.repair.lines) == ("clean-env", (1, 3))


def test_blanks_at_the_end_of_a_line_are_found() -> None:
    """A trailing blank is found where no eye sees it."""
    finding = only("unclean_lines", env("OLLAMA_MODEL=llama3.2 \nA=1\n"))

    assert "blanks at the end of line 1" in finding.evidence


def test_a_byte_order_mark_is_found() -> None:
    """What some editors put before the first line is found."""
    assert "byte order mark" in only("unclean_lines", env("\ufeffA=1\n")).evidence


def test_a_quoted_value_of_several_lines_is_left_alone() -> None:
    """Blanks and carriage returns inside of quotes belong to the value."""
    assert examine(env("A='one  \r\ntwo \n'\nB=1\n")) == []


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("A=\u201csk-abc\u201d", "typographic"),
        ("A='sk-abc", "never closed"),
        ('A="sk-abc "', "blanks between"),
        ("A=\"'sk-abc'\"", "quotes inside"),
    ],
)
def test_quotes_that_become_part_of_a_value_are_found(line: str, seen: str) -> None:
    """Each kind of harmful quote is named with its line, and the value is not shown."""
    finding = only("quotes", env(f"B=1\n{line}\n"))

    assert seen in finding.evidence
    assert ".env:2" in finding.evidence
    assert "sk-abc" not in str(finding)


def test_composes_own_complaint_is_passed_on() -> None:
    """A .env that compose cannot read is reported in its words, which name the line."""
    complaint = "failed to read .env: line 6: key cannot contain a space"

    assert only("compose_reads_files", replace(HEALTHY, compose_error=complaint)).evidence == (
        complaint
    )


def test_a_dollar_in_a_value_is_found_by_its_line() -> None:
    """Compose complains of a variable nobody wrote; the line it came from is named."""
    warning = 'The \\"word\\" variable is not set. Defaulting to a blank string.'
    finding = only("dollars", env("A=1\nPASS=pa$word\n", compose_warnings=(warning, warning)))

    assert ".env:2" in finding.evidence
    assert "single quotes" in finding.fix


def test_a_misspelt_variable_is_offered_the_nearest_name() -> None:
    """OPENAI_APIKEY is read by nobody; OPENAI_API_KEY is offered. Unlike names are let be."""
    assert "OPENAI_API_KEY=" in only("misspelt_names", env("OPENAI_APIKEY=x\nMINE=1\n")).fix


def test_a_shell_variable_that_hides_env_is_found() -> None:
    """Both set and different: the shell's wins, which is said without showing either."""
    finding = only(
        "shell_wins", env("OPENAI_API_KEY=sk-one\n", exported={"OPENAI_API_KEY": "sk-two"})
    )

    assert finding.fix.startswith("unset OPENAI_API_KEY")
    assert "sk-" not in str(finding)


def test_a_database_url_that_only_the_shell_has_is_found() -> None:
    """Another application's exported DATABASE_URL is reported without its password."""
    url = "postgresql://app:hidden@db.example.org:5432/shop"
    finding = only("database_of_another", replace(HEALTHY, exported={"DATABASE_URL": url}))

    assert "db.example.org:5432/shop" in finding.evidence
    assert "hidden" not in str(finding)
    assert "unset DATABASE_URL" in finding.fix


def test_a_database_url_that_env_has_too_is_meant() -> None:
    """The same URL in .env says that it is on purpose."""
    url = "postgresql://app:secret@db.example.org:5432/litellm"

    assert examine(env(f"DATABASE_URL={url}\n", exported={"DATABASE_URL": url})) == []


def test_a_readable_env_with_secrets_is_found_and_can_be_mended() -> None:
    """Mode 644 on a file with a key is found; without a secret in it nobody minds."""
    readable = EnvFile(".env", 0o644, "OPENAI_API_KEY=sk-abc\n")
    finding = only("env_file_is_private", replace(HEALTHY, env_files=(readable,)))

    assert "644" in finding.evidence
    assert finding.repair
    assert finding.repair.action == "chmod-env"
    assert examine(replace(HEALTHY, env_files=(replace(readable, text="LITELLM_PORT=1\n"),))) == []


def test_a_backends_address_with_another_port_is_found() -> None:
    """LITELLM_BASE_URL has to name the port that the gateway is published on."""
    facts = replace(
        HEALTHY,
        ports=(Port("LITELLM_PORT", 4001, containers=("litellm-proxy-gateway-1",)),),
        exported={"LITELLM_BASE_URL": "http://localhost:4000"},
    )
    assert "localhost:4001" in only("backends_address", facts).fix
