"""The journal's format: what was written whole is read whole, and nothing else is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.lines import Damage, Line, encode, scan

RAW = st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"").replace(b"\0", b""))
BODIES = st.lists(RAW)
ROOM = bytes(64)


def bodies(data: bytes) -> list[bytes]:
    """Return the bodies of the lines found."""
    return [found.body for found in scan(data) if isinstance(found, Line)]


@given(BODIES)
def test_what_was_written_is_read(written: list[bytes]) -> None:
    """Every line that was written is read back in order, despite the room at the file's end."""
    data = b"".join(map(encode, written)) + ROOM
    assert bodies(data) == written
    assert not [found for found in scan(data) if isinstance(found, Damage)]


@given(BODIES, st.data())
def test_a_cut_write_loses_only_itself(written: list[bytes], draw: st.DataObject) -> None:
    """A file cut anywhere gives every line before the cut, and calls the rest unfinished."""
    data = b"".join(map(encode, written))
    cut = draw.draw(st.integers(0, len(data)))
    found = list(scan(data[:cut] + ROOM))
    assert bodies(data[:cut] + ROOM) == written[: data[:cut].count(b"\n")]
    assert all(damage.unfinished for damage in found if isinstance(damage, Damage))


@given(st.lists(st.just(b'{"a":1}'), min_size=1, max_size=5), st.data())
def test_a_flipped_bit_is_seen_and_the_others_stay(
    written: list[bytes], draw: st.DataObject
) -> None:
    """A flipped bit is found as damage, costs two lines at most and invents none."""
    data = bytearray(b"".join(map(encode, written)))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= 1 << draw.draw(st.integers(0, 7))
    found = list(scan(bytes(data) + ROOM))
    assert any(isinstance(part, Damage) for part in found)
    assert set(bodies(bytes(data))) <= set(written)
    assert len(bodies(bytes(data))) >= len(written) - 2


def test_a_hole_is_passed_over() -> None:
    """Zeros in the middle, as after a power failure, do not hide the lines behind them."""
    assert bodies(encode(b"1") + ROOM + encode(b"2") + ROOM) == [b"1", b"2"]


def test_a_lines_end_is_where_the_next_begins() -> None:
    """A line's end counts from the beginning of its file, wherever reading began."""
    first, second = encode(b"1"), encode(b"22")
    ends = [found.end for found in scan(first + second, base=100)]
    assert ends == [100 + len(first), 100 + len(first) + len(second)]


@pytest.mark.parametrize("body", [b"a\nb", b"a\0b"])
def test_a_line_break_cannot_be_written(body: bytes) -> None:
    """A line that holds a line break or a zero byte is refused."""
    with pytest.raises(ValueError, match="line break or a zero byte"):
        encode(body)
