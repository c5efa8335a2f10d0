"""Dates in header fields (RFC 9110 section 5.6.7)."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

LONGEST = 64  # bytes: no date is longer


def timestamp(value: bytes | None) -> float | None:
    """Return a date as Unix time; None if there is none, or none that can be read."""
    return _read(value) if value is not None and len(value) <= LONGEST else None


@lru_cache(maxsize=1024)
def _read(value: bytes) -> float | None:
    try:
        date = parsedate_to_datetime(value.decode("ascii"))
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
