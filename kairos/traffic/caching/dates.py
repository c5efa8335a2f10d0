"""Dates in header fields (RFC 9110 section 5.6.7)."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache


@lru_cache(maxsize=1024)
def timestamp(value: bytes | None) -> float | None:
    """Return a date as Unix time; None if there is none, or none that can be read."""
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value.decode("ascii"))
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
