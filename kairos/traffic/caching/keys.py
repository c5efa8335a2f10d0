"""Under which keys answers are stored (RFC 9111 sections 2 and 4.1)."""

import re
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from kairos.protocols.http1.head import RequestHead
from kairos.traffic.caching.answers import Variants

_PORT = re.compile(rb":[0-9]*\Z")
_SHORT = 128  # bytes: what is longer is not remembered
_first = itemgetter(0)


class Keys:
    """How a route makes the keys of its answers.

    `identity` tells routes apart whose backends answer differently. `query` are the parameters that count; None counts
    the query as it is. `by_host` tells whether each host name has its own answers.
    """

    __slots__ = ("_by_host", "_http", "_https", "_query")

    def __init__(self, identity: bytes, query: tuple[str, ...] | None, *, by_host: bool) -> None:
        self._http = identity + b"http "
        self._https = identity + b"https "
        self._query = None if query is None else frozenset(_folded(name.encode()) for name in query)
        self._by_host = by_host

    def key(self, host: bytes, target: bytes, is_secure: bool) -> bytes:
        """Return the key of a target in the normal form in which the backend gets it."""
        if self._query is not None:
            target = _chosen(target, self._query)
        scheme = self._https if is_secure else self._http
        return scheme + host.lower() + target if self._by_host else scheme + target


def place(host: bytes, path: bytes) -> bytes:
    """Return what a purge calls an answer: its host without the port, and its path as clients write it."""
    return _PORT.sub(b"", host.lower()) + path


def variant_key(variants: Variants, request: RequestHead) -> bytes:
    """Return the key of the variant that a request selects."""
    fields = variants.fields
    digest = blake2b(digest_size=16)
    for name, value in zip(fields.names, fields.values(request.raw), strict=True):
        text = b"-" if value is None else b"+" + normal_value(name, value)
        digest.update(b"%d:%b" % (len(text), text))
    return variants.name + digest.digest()


def normal_value(name: bytes, value: bytes) -> bytes:
    """Return a field's value in a form that is the same for values that mean the same (RFC 9111 section 4.1)."""
    if name != b"accept-encoding":
        return b",".join([member.strip(b" \t") for member in value.split(b",")])
    return _remembered(value) if len(value) <= _SHORT else _codings(value)


def _codings(value: bytes) -> bytes:
    """Order tokens that have no regard to case, and no order beside that of their weights."""
    members = {b"".join(member.split()).lower() for member in value.split(b",")} - {b""}
    return b",".join(sorted(members))


_remembered = lru_cache(maxsize=256)(_codings)  # there are not many programs


def _chosen(target: bytes, names: frozenset[bytes]) -> bytes:
    """Return a target with those parameters of its query that count, in order of their names."""
    path, _, query = target.partition(b"?")
    if not query or not names:
        return path
    pairs = [(name, pair) for pair in query.split(b"&") if (name := _name(pair, names)) in names]
    pairs.sort(key=_first)  # those of one name stay in their order
    return path + b"?" + b"&".join([pair for _, pair in pairs]) if pairs else path


def _name(pair: bytes, names: frozenset[bytes]) -> bytes | None:
    """Return the name of a parameter as a backend reads it: one that is written otherwise must not slip through.

    Some backends take a `;` for a separator too; of what it separates the first of `names` counts.
    """
    if b";" not in pair:
        return _folded(pair)
    return next((name for part in pair.split(b";") if (name := _folded(part)) in names), None)


def _folded(pair: bytes) -> bytes:
    """Return a name in a form that is the same for all those that some backend takes for the same.

    Some know no case, some take `a[]`, `a[b]` and ` a` for `a`, or dots and blanks for underscores.
    """
    name = unquote_to_bytes(pair.partition(b"=")[0].replace(b"+", b" "))
    name = name.lower().lstrip(b" \t\r\n\v\f").partition(b"[")[0]
    return name.replace(b".", b"_").replace(b" ", b"_")
