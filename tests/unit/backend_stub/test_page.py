"""The page's files: all there, from this service alone, under a strict policy."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

import backend_stub

FOLDER = Path(backend_stub.__file__).parent / "page"
FILES = sorted(path.name for path in FOLDER.iterdir())


def test_policy(client: httpx.Client) -> None:
    """The page may load, run and ask only what comes from here; no style or script in between."""
    served = [client.get(path) for path in ("/", *(f"/page/{name}" for name in FILES))]

    assert {response.status_code for response in served} == {200}
    (policy,) = {response.headers["content-security-policy"] for response in served}
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("require-trusted-types-for") == "'script'"
    assert rules.pop("default-src") == "'none'"
    assert set(rules.values()) == {"'self'", "'none'"}
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert {response.headers["x-content-type-options"] for response in served} == {"nosniff"}
    assert {response.headers["referrer-policy"] for response in served} == {"no-referrer"}


def test_what_the_page_loads(client: httpx.Client) -> None:
    """Each file that the page names is served, with the type that a browser wants of it."""
    page = client.get("/")
    loaded = re.findall(r'(?:src|href)="(page/[^"]+)"', page.text)
    types = {name.rpartition(".")[2]: client.get(name).headers["content-type"] for name in loaded}

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert types == {
        "svg": "image/svg+xml",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
    }


def test_modules() -> None:
    """A module imports files of this folder alone, and each of them is there."""
    sources = "".join((FOLDER / name).read_text() for name in FILES if name.endswith(".js"))
    imported = set(re.findall(r'^import .* from "(.+)";$', sources, re.MULTILINE))

    assert len(imported) > 5
    assert imported <= {f"./{name}" for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_no_other_host(name: str) -> None:
    """No file names another host; the namespace of SVG is a name and no address."""
    text = (FOLDER / name).read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")

    assert re.findall(r"""\w+://\S+|["'(=]//\S+""", text) == []


def test_unchanged_file_is_not_sent_again(client: httpx.Client) -> None:
    """A browser asks each time whether a file changed, so that a new version shows at once."""
    first = client.get("/page/app.js")
    again = client.get("/page/app.js", headers={"if-none-match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


def test_unknown_file(client: httpx.Client) -> None:
    """What is not there is a 404 in the service's own shape."""
    response = client.get("/page/nothing.js")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_nothing_outside_the_folder(client: httpx.Client) -> None:
    """The folder's walls hold."""
    assert client.get("/page/..%2fapp.py").status_code == 404
