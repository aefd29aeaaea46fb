"""A multipart body, as for transcriptions: https://www.rfc-editor.org/rfc/rfc7578."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import InvalidRequestError
from gateway.request import UploadedFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_NUMBERS = frozenset({"temperature", "speed"})
_BOOLEANS = frozenset({"stream"})
_LISTS = "[]"


async def parse_form(
    raw: bytes, headers: dict[bytes, bytes]
) -> tuple[dict[str, Any], tuple[UploadedFile, ...]]:
    """Return a form's fields, with numbers and booleans converted, and its files.

    Raises:
        InvalidRequestError: the form cannot be read, or has no file.
    """
    from starlette.datastructures import Headers, UploadFile  # noqa: PLC0415 -- seldom needed
    from starlette.formparsers import MultiPartException, MultiPartParser  # noqa: PLC0415 -- rare

    async def stream() -> AsyncGenerator[bytes, None]:
        yield raw

    given = Headers(raw=list(headers.items()))
    try:
        form = await MultiPartParser(given, stream()).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise InvalidRequestError(f"the form cannot be read: {error}", param="file") from None
    fields: dict[str, Any] = {}
    files = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
            kind = value.content_type or "application/octet-stream"
            files.append(UploadedFile(name, value.filename or "file", kind, content))
        elif name.endswith(_LISTS):
            fields.setdefault(name, []).append(value)
        else:
            fields[name] = _typed(name, value)
    if not files:
        raise InvalidRequestError("the form has no file", param="file")
    return fields, tuple(files)


def _typed(name: str, value: str) -> Any:  # noqa: ANN401 -- as JSON would have it
    if name in _BOOLEANS:
        return value.lower() in ("true", "1")
    if name in _NUMBERS:
        try:
            return float(value)
        except ValueError:
            raise InvalidRequestError(f"'{name}' is not a number", param=name) from None
    return value
