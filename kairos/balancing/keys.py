"""What of a request decides where a consistent hash puts it."""

from kairos.protocols.http1.cookies import cookie
from kairos.protocols.http1.fields import field
from kairos.protocols.http1.head import RequestHead


class ByClient:
    """The address of the client."""

    __slots__ = ()

    def key(self, client: str, head: RequestHead) -> bytes | None:
        """Return the address; None for a client without one."""
        return client.encode() if client else None


class ByField:
    """The value of a header field."""

    __slots__ = ("_fields",)

    def __init__(self, name: str) -> None:
        self._fields = field(name)

    def key(self, client: str, head: RequestHead) -> bytes | None:
        """Return the value, or None if the request has no such field."""
        return self._fields.values(head.raw)[0]


class ByCookie:
    """The value of a cookie."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name.encode() + b"="

    def key(self, client: str, head: RequestHead) -> bytes | None:
        """Return the value, or None if the request has no such cookie."""
        return cookie(head, self._name)


class ByPath:
    """The path that the client sent, without the query."""

    __slots__ = ()

    def key(self, client: str, head: RequestHead) -> bytes | None:
        """Return the path."""
        return head.path
