"""Streams taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.lines import Lines, LineTooLongError, event_data

TEXTS = st.lists(st.binary(max_size=9).map(lambda data: data.replace(b"\n", b"")), max_size=6)


@given(TEXTS, st.binary(max_size=9).map(lambda data: data.replace(b"\n", b"")), st.data())
def test_lines_are_found_wherever_a_stream_is_cut(
    texts: list[bytes], last: bytes, data: st.DataObject
) -> None:
    """Lines are found wherever a stream is cut, and the last one needs no end."""
    whole = b"".join(text + b"\n" for text in texts) + last
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    lines = Lines()
    found: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += lines.feed(whole[start:end])
    found += lines.end()
    assert found == texts + ([last] if last else [])


def test_a_line_that_never_ends_is_refused() -> None:
    """A line longer than its limit is refused, since it could fill the memory."""
    lines = Lines(10)
    assert lines.feed(b"12345\n67890") == [b"12345"]
    with pytest.raises(LineTooLongError):
        lines.feed(b"123456")


def test_events_are_their_data() -> None:
    """Only the data of server-sent events is kept, not their comments and names."""
    lines = [b"data: a", b"data:b\r", b": x", b"", b"event: data", b"data:", b"\r"]
    assert event_data(lines) == [b"a", b"b"]
