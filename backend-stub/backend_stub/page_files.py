"""The page for the app's developer at `/`: files as they lie in page/, nothing built.

Start reading at page/index.html and page/app.js.
"""

from pathlib import Path
from typing import override

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_FOLDER = Path(__file__).parent / "page"

_HEADERS = {
    # What a model writes is on this page: should it ever be taken for markup, it runs nothing,
    # loads nothing and sends nothing elsewhere.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # a new version shows at once; ETags keep it cheap
}


def install(app: FastAPI) -> None:
    """Make the app serve the page at / and its files under /page."""

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_FOLDER / "index.html", headers=_HEADERS)

    app.mount("/page", _PageFiles(directory=_FOLDER))


class _PageFiles(StaticFiles):
    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response
