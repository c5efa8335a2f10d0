"""Heads and moments for the tests of the rules."""

from kairos.config.policies import Cache
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.traffic.caching.answers import Answer
from kairos.traffic.caching.storing import CACHEABLE, Moments, kept

WALL = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
NOW = 1000.0
POLICY = Cache(default_statuses=tuple(CACHEABLE))
AT_ONCE = Moments(NOW, NOW, WALL)


def request(*lines: str, target: str = "/a", method: str = "GET") -> RequestHead:
    return RequestHead("\r\n".join((f"{method} {target} HTTP/1.1", "Host: a", *lines, "", "")).encode())


def response(*lines: str, status: str = "200 OK", length: str = "Content-Length: 5") -> ResponseHead:
    fields = [length] if length else []
    return ResponseHead("\r\n".join((f"HTTP/1.1 {status}", *fields, *lines, "", "")).encode(), to_head=False)


def stored(*lines: str, policy: Cache = POLICY, moments: Moments = AT_ONCE, status: str = "200 OK") -> Answer:
    """Return what is kept of an answer with these fields."""
    answer, _ = kept(request(), response(*lines, status=status), policy, moments, is_known=False)
    return answer.completed(5)
