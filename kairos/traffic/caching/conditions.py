"""Requests with conditions, as far as a stored answer can decide them (RFC 9110 section 13)."""

import re

from kairos.traffic.caching.answers import Answer
from kairos.traffic.caching.dates import timestamp

_TAG = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_STRONG_AFTER = 60.0  # seconds between Last-Modified and Date that make the former a strong validator


def is_unchanged(none_match: bytes | None, since: bytes | None, answer: Answer) -> bool:
    """Say whether the client has what it asks for already, so that a 304 is enough (RFC 9110 section 13.2.2).

    A condition counts only where the answer would be a 2xx. If-Modified-Since counts only without If-None-Match.
    """
    if answer.head.status != 200:
        return False
    if none_match is not None:
        if none_match.strip(b" \t") == b"*":
            return True
        tag = answer.etag
        return tag is not None and weak(tag) in {weak(one) for one in _TAG.findall(none_match)}
    asked, modified = timestamp(since), timestamp(answer.modified)
    return asked is not None and modified is not None and modified <= asked


def range_holds(if_range: bytes | None, answer: Answer, date: bytes | None) -> bool:
    """Say whether a range may be taken from this answer (RFC 9110 section 13.1.5: the comparison is strong).

    `date` is the Date of the answer, by which a Last-Modified is a strong validator or not (section 8.8.2.2).
    """
    if if_range is None:
        return True
    if if_range[:1] == b'"':
        return if_range == answer.etag
    modified, made = timestamp(answer.modified), timestamp(date)
    if modified is None or made is None or made - modified < _STRONG_AFTER:
        return False
    return if_range == answer.modified


def weak(tag: bytes) -> bytes:
    """Return an entity tag as it is compared weakly (RFC 9110 section 8.8.3.2)."""
    return tag.removeprefix(b"W/")
