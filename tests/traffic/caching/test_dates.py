"""Dates in header fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.traffic.caching.dates import timestamp

PIECES = st.sampled_from(
    ["Fri,", "Friday,", "15", "Jan", "-", "2027", "27", "08:00:00", "8:0", "GMT", "+0000", ":", "(x", "Fri"]
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Fri, 15 Jan 2027 08:00:00 GMT", 1_800_000_000),
        (b"Friday, 15-Jan-27 08:00:00 GMT", 1_800_000_000),
        (b"Fri Jan 15 08:00:00 2027", 1_800_000_000),
        (b"0", None),
        (b"", None),
        (None, None),
        (b"Fri, 15 Jan 2027 08:00:00 GMT" + b" " * 99, None),
        (b"Fri, 99 Jan 2027 08:00:00 GMT", None),
    ],
)
def test_dates(value: bytes | None, expected: float | None) -> None:
    assert timestamp(value) == expected


@given(st.binary(max_size=80) | st.lists(PIECES, max_size=9).map(lambda pieces: " ".join(pieces).encode()))
def test_anything_can_be_read(value: bytes) -> None:
    found = timestamp(value)

    assert found is None or isinstance(found, float)
