"""The heads of messages: what is read from them, and what is refused.

httptools (llhttp) judges every head that is not plain, and refuses what no one may accept; the rest of RFC 9112's rules
for intermediaries is decided here.
"""

import re
import sys
from functools import lru_cache

import httptools

from kairos._speedups import plain_request, plain_response
from kairos.errors import BadRequest, UpstreamError
from kairos.protocols.http1.fields import REQUEST_FACTS, RESPONSE_FACTS, tokens

UNTIL_CLOSE = -1
CHUNKED = -2

# The same as C integers when compiled, and then not seen from outside.
_UNTIL_CLOSE = UNTIL_CLOSE
_CHUNKED = CHUNKED
_FEW_DIGITS = 18  # so many fit into a size
_SPACE, _SLASH, _ZERO, _ONE, _H, _TAB, _CR, _DEL = b" /01H\t\r\x7f"

# RFC 3986 section 3.2.2: a registered name, an IPv4 address or an IP literal, and a port. An empty Host is allowed in
# form, but names no one.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_BARE_NEWLINE = re.compile(rb"(?<!\r)\n")
_VERSION = re.compile(rb"[^\r\n]* HTTP/(?!1\.[01]\r?\n)[0-9]+\.[0-9]+\r?\n")


class Ignored:
    """Callbacks for a parser of which only the verdict counts. It looks each up, and finds them faster than not."""

    on_body = on_chunk_complete = on_chunk_header = on_header = on_headers_complete = None
    on_message_begin = on_message_complete = on_reset = on_status = on_url = None


IGNORED = Ignored()


class RequestHead:
    """What the gateway has to know of a request before its body."""

    __slots__ = (
        "body_length",
        "connection",
        "host",
        "is_http11",
        "keep_alive",
        "method",
        "raw",
        "takes_trailers",
        "target",
    )

    def __init__(self, raw: bytes) -> None:
        """Read a head and judge it: BadRequest unless it is that of one well-formed request.

        `body_length` is a number of bytes, or CHUNKED.
        """
        self.raw = raw
        self._read(raw)

    def _read(self, raw: bytes) -> None:
        facts = plain_request(raw, REQUEST_FACTS)
        if facts is None:
            judge_request(raw)
            facts = REQUEST_FACTS.values(raw)
        text = raw  # a pointer when compiled: a slice of it is a plain copy
        space = 0
        while text[space] != _SPACE:
            space += 1
        end = space + 1
        while text[end] > _SPACE:
            end += 1
        self.method = text[:space]
        self.target = text[space + 1 : end]
        if text[end] != _SPACE or text[end + 1] != _H:  # HTTP/0.9 has no version, RTSP another name
            raise BadRequest("The request line is malformed", reason="malformed_request")
        if text[end + 6] != _ONE or text[end + 8] > _ONE:  # the parser has seen to the form
            raise _unknown_version()
        self.is_http11 = text[end + 8] == _ONE
        host, length, coding, self.connection, te, expect = facts
        self.keep_alive = _keeps_alive(self.connection, self.is_http11)
        self.takes_trailers = te is not None and self.is_http11 and b"trailers" in tokens(te)
        self.host = self._checked_host(host)
        if text[space + 1] != _SLASH or self.method == b"CONNECT":
            self._read_other_form()
        if expect is not None and self.is_http11 and expect.lower() != b"100-continue":  # RFC 9110 section 10.1.1
            raise BadRequest("Only 100-continue can be expected", reason="expectation_unknown", status=417)
        if length is not None:
            self.body_length = _length(length)
        elif coding is None:
            self.body_length = 0
        else:
            self.body_length = self._coded_length(coding)

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    def _read_other_form(self) -> None:
        """Turn absolute-form into origin-form (RFC 9112 section 3.2.2: its authority replaces Host)."""
        if self.method == b"CONNECT":
            raise BadRequest("Tunnels are not opened here", reason="tunnel_refused", status=501)
        if self.target == b"*" and self.method == b"OPTIONS":  # RFC 9112 section 3.2.4: about the gateway itself
            return
        scheme, mark, rest = self.target.partition(b"://")
        if not mark or scheme.lower() not in (b"http", b"https"):
            raise BadRequest("The request target must start with '/' or be an http URL", reason="bad_target")
        authority = re.split(rb"[/?]", rest, maxsplit=1)[0]
        path = rest[len(authority) :]
        self.target = path if path.startswith(b"/") else b"/" + path
        self.host = self._checked_host(authority)

    def _checked_host(self, host: bytes | None) -> bytes:
        """Refuse a missing, repeated or malformed Host (RFC 9112 section 3.2)."""
        if host is None:
            if self.is_http11:
                raise BadRequest("An HTTP/1.1 request needs a Host header", reason="host_missing")
            return b""
        if not is_host(host):
            raise BadRequest("The Host header is not one host name or address", reason="host_invalid")
        return host

    def _coded_length(self, coding: bytes) -> int:
        """Accept chunked and nothing else (RFC 9112 section 6.1)."""
        if not self.is_http11:
            raise BadRequest("HTTP/1.0 has no Transfer-Encoding", reason="transfer_encoding_http10")
        if coding.lower() != b"chunked":
            error = "Only the chunked transfer coding is known"
            raise BadRequest(error, reason="transfer_encoding_unknown", status=501)
        return CHUNKED


class ResponseHead:
    """What the gateway has to know of a response before its body."""

    __slots__ = ("body_length", "connection", "has_date", "is_event_stream", "keep_alive", "raw", "status")

    def __init__(self, raw: bytes, to_head: bool) -> None:
        """Read a head and judge it: UpstreamError unless it is that of one well-formed response.

        `to_head` tells that it answers a HEAD request. `body_length` is a number of bytes, CHUNKED or UNTIL_CLOSE
        (RFC 9112 section 6.3).
        """
        self.raw = raw
        self._read(raw, to_head)

    def _read(self, raw: bytes, to_head: bool) -> None:
        facts = plain_response(raw, RESPONSE_FACTS)
        if facts is None:
            judge_response(raw)
            facts = RESPONSE_FACTS.values(raw)
        text = raw  # a pointer when compiled
        self.status = 100 * (text[9] - _ZERO) + 10 * (text[10] - _ZERO) + text[11] - _ZERO
        length, coding, self.connection, date, content_type = facts
        self.has_date = date is not None
        self.is_event_stream = content_type is not None and _is_event_stream(content_type)
        is_http11 = text[7] == _ONE
        self.keep_alive = _keeps_alive(self.connection, is_http11)
        if to_head or self.status < 200 or self.status in (204, 304):
            self.body_length = 0
        elif coding is not None:
            if coding.lower() != b"chunked":
                raise UpstreamError("the answer has an unknown transfer coding", reason="upstream_transfer_encoding")
            self.body_length = _CHUNKED
            self.keep_alive = self.keep_alive and is_http11  # RFC 9112 section 6.1: HTTP/1.0 has no codings
        elif length is not None:
            self.body_length = _length(length)
        else:
            self.body_length = _UNTIL_CLOSE
            self.keep_alive = False


def judge_request(raw: bytes) -> None:
    """Raise BadRequest unless `raw` is the head of one well-formed request, by the parser's judgement."""
    try:
        httptools.HttpRequestParser(IGNORED).feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # the head is complete; whether to change protocols is decided elsewhere
    except httptools.HttpParserInvalidMethodError:
        raise BadRequest("The request method is not known", reason="method_unknown", status=501) from None
    except httptools.HttpParserError as error:
        if _VERSION.match(raw):
            raise _unknown_version() from None
        raise BadRequest(f"The request is malformed: {error}", reason="malformed_request") from None


def judge_response(raw: bytes) -> None:
    """Raise UpstreamError unless `raw` is the head of one well-formed response, by the parser's judgement and ours."""
    try:
        httptools.HttpResponseParser(IGNORED).feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # a 101; the caller knows that none was asked for
    except httptools.HttpParserError:
        raise UpstreamError("the answer is malformed", reason="malformed_response") from None
    text = raw  # a pointer when compiled
    # RFC 9110 section 15: a status begins with 1. Only what begins with H is as long as what is looked at here.
    if text[0] != _H or text[5] != _ONE or text[9] == _ZERO:
        raise UpstreamError("the answer is of an unknown version or status", reason="malformed_response")
    end = 9
    while text[end] == _TAB or (text[end] >= _SPACE and text[end] != _DEL):
        end += 1
    if text[end] != _CR:  # RFC 9112 section 4: no control bytes in the reason; llhttp lets them pass
        raise UpstreamError("the answer is malformed", reason="malformed_response")


def is_hopeless(data: bytes, searched: int) -> bool:
    """Say whether this beginning of a request cannot become a head, so that waiting for the rest is in vain.

    Up to `searched` it has been looked at before. Lines end with CRLF (RFC 9112 section 2.2 lets a recipient take a
    bare LF; an intermediary that does so helps smugglers), and the first one names a version (HTTP/0.9 had none).
    """
    if _BARE_NEWLINE.search(data, max(searched - 1, 0)) is not None:
        return True
    line, end, _ = data.partition(b"\r\n")
    return bool(end) and b" HTTP/" not in line


def fault(data: bytes) -> BadRequest:
    """Return what is wrong with the hopeless beginning of a request: the same as if the rest had come with it."""
    try:
        judge_request(data)
    except BadRequest as error:
        return error
    return BadRequest("The request is malformed", reason="malformed_request")


@lru_cache(maxsize=1024)
def is_host(value: bytes) -> bool:
    """Say whether `value` is one valid Host (RFC 9110 section 7.2)."""
    return _HOST.fullmatch(value) is not None


def _length(value: bytes) -> int:
    """Read a Content-Length of digits; what nobody can send is cut to the largest size there is."""
    if len(value) > _FEW_DIGITS:
        value = value.lstrip(b"0")
        if len(value) > _FEW_DIGITS:
            return sys.maxsize if len(value) > _FEW_DIGITS + 1 else min(int(value), sys.maxsize)
    text = value  # a pointer when compiled
    length = 0
    for at in range(len(value)):
        length = 10 * length + text[at] - _ZERO
    return length


def _is_event_stream(content_type: bytes) -> bool:
    return content_type[:5] in (b"text/", b"Text/", b"TEXT/") and content_type[5:17].lower() == b"event-stream"


def _unknown_version() -> BadRequest:
    return BadRequest("Only HTTP/1.0 and HTTP/1.1 are spoken here", reason="version_unsupported", status=505)


def _keeps_alive(connection: bytes | None, is_http11: bool) -> bool:
    """Say whether the connection outlives this message (RFC 9112 section 9.3)."""
    if connection is None:
        return is_http11
    if connection == b"keep-alive":  # the usual case
        return True
    options = tokens(connection)
    return b"close" not in options and (is_http11 or b"keep-alive" in options)
