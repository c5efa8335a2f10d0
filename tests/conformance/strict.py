"""A strict reader of HTTP/1.1 messages, independent of the gateway: what it does not take, no origin should be sent.

It reads what a gateway writes, not all that RFC 9112 allows: chunk extensions and bare versions other than 1.1 are
faults here.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%b) (/[^\x00-\x20\x7f]*) HTTP/1\.1" % _TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_VALUE = rb"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?"
_FIELD = re.compile(rb"(%b):[ \t]*(%b)[ \t]*" % (_TOKEN, _VALUE))
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_LENGTH = re.compile(rb"[0-9]{1,19}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")

BODILESS = (204, 304)


class NotWellFormed(Exception):
    """The bytes are no message that everybody reads alike."""


class Unfinished(Exception):
    """The bytes end before the message does."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `head` has its empty line; `body` is decoded; `trailers` are whole lines."""

    head: bytes
    body: bytes = b""
    trailers: bytes = b""
    is_chunked: bool = False
    ends_with_connection: bool = False

    @property
    def start_line(self) -> bytes:
        return self.head.partition(b"\r\n")[0]

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.head[9:12])

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a field, line by line."""
        return [value for found, value in fields_of(self.head) if found.lower() == name.lower()]

    @property
    def wire(self) -> bytes:
        """The message with its body as one chunk if it came in chunks: alike, however it was cut on its way."""
        if not self.is_chunked:
            return self.head + self.body
        chunk = b"%x\r\n%b\r\n" % (len(self.body), self.body) if self.body else b""
        return self.head + chunk + b"0\r\n" + self.trailers + b"\r\n"


def requests_in(data: bytes) -> tuple[list[Message], bytes]:
    """Read the requests on a connection; return them, and the beginning of one more."""
    found = []
    while data:
        try:
            message, data = _request(data)
        except Unfinished:
            break
        found.append(message)
    return found, data


def responses_in(data: bytes, methods: Iterable[bytes], *, has_ended: bool) -> tuple[list[Message], bytes]:
    """Read the answers to requests with these methods; return them, and what follows or is not whole.

    Interim answers are messages of their own.
    """
    waiting = list(methods)
    found: list[Message] = []
    while data:
        method = waiting[0] if waiting else b"GET"  # a refusal of what was no request
        try:
            message, data = _response(data, method == b"HEAD", has_ended)
        except Unfinished:
            break
        found.append(message)
        if message.status >= 200:
            del waiting[:1]
    return found, data


def response_in(data: bytes, method: bytes, *, has_ended: bool) -> tuple[Message, bytes]:
    """Read one answer to a request with this method; return it, and what follows. Raises Unfinished."""
    return _response(data, method == b"HEAD", has_ended)


def fields_of(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and value of each field of a head, or of a section of trailers."""
    lines = head.split(b"\r\n")
    for line in lines[1:] if b":" not in lines[0].partition(b" ")[0] else lines:
        if line:
            yield _field(line)


def _field(line: bytes) -> tuple[bytes, bytes]:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise NotWellFormed(f"no field line: {line!r}")
    return match[1], match[2]


def _head(data: bytes) -> tuple[bytes, dict[bytes, list[bytes]], bytes]:
    """Split off a head; return it, its fields by lower-case name, and the rest."""
    raw, mark, rest = data.partition(b"\r\n\r\n")
    for line in raw.split(b"\r\n")[: None if mark else -1]:
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise NotWellFormed(f"a bare control byte: {line!r}")
    if not mark:
        raise Unfinished
    fields: dict[bytes, list[bytes]] = {}
    for line in raw.split(b"\r\n")[1:]:
        name, value = _field(line)
        fields.setdefault(name.lower(), []).append(value)
    return raw + mark, fields, rest


def _framing(fields: dict[bytes, list[bytes]]) -> int | None:
    """Return a length, -1 for chunked, or None; one Content-Length or one Transfer-Encoding, never both."""
    lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
    if len(lengths) + len(codings) > 1:
        raise NotWellFormed(f"more than one framing: {lengths} {codings}")
    if codings:
        if codings != [b"chunked"]:
            raise NotWellFormed(f"an unknown coding: {codings}")
        return -1
    if lengths:
        if not _LENGTH.fullmatch(lengths[0]):
            raise NotWellFormed(f"no length: {lengths}")
        return int(lengths[0])
    return None


def _request(data: bytes) -> tuple[Message, bytes]:
    head, fields, rest = _head(data)
    if not _REQUEST_LINE.fullmatch(head.partition(b"\r\n")[0]):
        raise NotWellFormed(f"no request line: {head!r}")
    hosts = fields.get(b"host", [])
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise NotWellFormed(f"not one host: {hosts}")
    framing = _framing(fields)
    if framing == -1:
        body, trailers, rest = _chunks(rest)
        return Message(head, body, trailers, is_chunked=True), rest
    body, rest = _counted(rest, framing or 0)
    return Message(head, body), rest


def _response(data: bytes, to_head: bool, has_ended: bool) -> tuple[Message, bytes]:
    head, fields, rest = _head(data)
    match = _STATUS_LINE.fullmatch(head.partition(b"\r\n")[0])
    if match is None:
        raise NotWellFormed(f"no status line: {head!r}")
    status = int(match[1])
    framing = _framing(fields)
    if to_head or status < 200 or status in BODILESS:
        return Message(head), rest
    if framing == -1:
        body, trailers, rest = _chunks(rest)
        return Message(head, body, trailers, is_chunked=True), rest
    if framing is not None:
        body, rest = _counted(rest, framing)
        return Message(head, body), rest
    if not has_ended:
        raise Unfinished
    return Message(head, rest, ends_with_connection=True), b""


def _counted(data: bytes, length: int) -> tuple[bytes, bytes]:
    if len(data) < length:
        raise Unfinished
    return data[:length], data[length:]


def _chunks(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Decode chunks; return the body, the trailer lines, and the rest."""
    body = []
    while True:
        line, data = _line(data)
        if not _CHUNK_SIZE.fullmatch(line):
            raise NotWellFormed(f"no chunk size: {line!r}")
        size = int(line, 16)
        if size == 0:
            break
        if len(data) >= size + 2 and data[size : size + 2] != b"\r\n":
            raise NotWellFormed(f"no line end after chunk data: {data[size : size + 2]!r}")
        if len(data) < size + 2:
            raise Unfinished
        body.append(data[:size])
        data = data[size + 2 :]
    trailers = []
    while True:
        line, data = _line(data)
        if not line:
            return b"".join(body), b"".join(trailers), data
        _field(line)
        trailers.append(line + b"\r\n")


def _line(data: bytes) -> tuple[bytes, bytes]:
    line, mark, rest = data.partition(b"\r\n")
    if not mark:
        raise Unfinished
    return line, rest
