"""Find the route of an OPTIONS request: a preflight belongs to the route of the method that it asks about."""

from typing import TYPE_CHECKING, cast

from kairos._speedups.matcher import Match, Matcher
from kairos.errors import MethodNotAllowed
from kairos.protocols.http1.head import RequestHead
from kairos.security.cors import requested_method

if TYPE_CHECKING:
    from kairos.proxy.generation import ProxyRoute


def match(matcher: Matcher, head: RequestHead) -> Match:
    """Return the route that answers a preflight itself, or else the one for OPTIONS; raises what the matcher does."""
    method = requested_method(head)
    if method is not None:
        try:
            found = matcher.match(method, head.host, head.target)
        except MethodNotAllowed:
            pass  # the page gets the usual answer to OPTIONS, and so no permission
        else:
            if cast("ProxyRoute", found.destination).cors is not None:
                return found
    return matcher.match(head.method, head.host, head.target)
