"""Where traces go, checked before anything starts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from gateway.config.settings import Settings

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"

PATH = "/v1/traces"
"""What OTLP over HTTP adds to the endpoint that all kinds of telemetry share:
https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp"""

_HEADER = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*([\x20-\x7e]*?)\s*")


@dataclass(frozen=True)
class TraceSettings:
    """Where traces go.

    Attributes:
        url: that spans are posted to; it holds no secret.
        headers: sent along; they may hold a token, and are never shown.
        service: the name that they come under.
    """

    url: str
    service: str
    headers: dict[str, str] = field(repr=False)


def trace_settings(settings: Settings) -> TraceSettings | None:
    """Return where traces go; None when they go nowhere.

    Raises:
        ConfigurationError: the endpoint is not a URL to post to, or the headers are not headers.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        return None
    problems = _endpoint_problems(endpoint)
    given = settings.otel_exporter_otlp_headers
    headers = _headers(given.get_secret_value() if given else "")
    if headers is None:
        problems.append(
            Problem(
                HEADERS,
                "is not a list of headers",
                "write name=value, several with commas between them, values URL-encoded: "
                "authorization=Bearer%20TOKEN",
            )
        )
    if problems or headers is None:
        raise ConfigurationError(problems)
    return TraceSettings(f"{endpoint.rstrip('/')}{PATH}", settings.otel_service_name, headers)


def _endpoint_problems(endpoint: str) -> list[Problem]:
    advice = "set the collector's address for OTLP over HTTP, for example http://collector:4318"
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError:
        return [Problem(ENDPOINT, "is not a URL", advice)]
    if parts.username is not None or parts.password is not None:  # it would be shown in logs
        return [Problem(ENDPOINT, "holds a user or password", f"give a token in {HEADERS}")]
    if parts.scheme not in ("http", "https") or not parts.hostname or set(endpoint) & set(" \t"):
        return [Problem(ENDPOINT, f"'{endpoint}' is not an http or https URL", advice)]
    if parts.query or parts.fragment or parts.path.rstrip("/").endswith(PATH):
        return [Problem(ENDPOINT, f"'{endpoint}' has more than a base", f"leave off {PATH} and ?…")]
    return []


def _headers(given: str) -> dict[str, str] | None:
    """Return the headers by name in small letters; None when something is none."""
    headers: dict[str, str] = {}
    for part in filter(str.strip, given.split(",")):
        found = _HEADER.fullmatch(part)
        value = unquote(found[2]) if found else ""
        if found is None or not value.isascii() or not value.isprintable():
            return None
        headers[found[1].lower()] = value
    return headers
