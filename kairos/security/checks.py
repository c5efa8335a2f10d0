"""What a request says of itself: which programs may not ask, and which types a body may have."""

import re

from kairos._speedups import FieldSet
from kairos.config import policies
from kairos.errors import KairosError, Side
from kairos.filters import Asked, LocalReply

_FACTS = FieldSet((b"user-agent", b"content-type"))


class UserAgentDenied(KairosError):
    """The program that asks is not wanted here."""

    kind = "user_agent_denied"
    side = Side.DOWNSTREAM
    status = 403


class UnsupportedType(KairosError):
    """The body is of a type that the route does not take, or of none (RFC 9110 section 15.5.16)."""

    kind = "unsupported_content_type"
    side = Side.DOWNSTREAM
    status = 415


class RequestChecks:
    """Refuse programs by their name, and bodies by their type. Who wants to pass can lie about both."""

    __slots__ = ("_agents", "_families", "_types")

    def __init__(self, settings: policies.RequestChecks) -> None:
        agents = b"|".join(re.escape(name.encode()) for name in settings.user_agents)
        self._agents = re.compile(b"(?i)" + agents) if agents else None
        types = [name.lower().encode() for name in settings.content_types]
        self._types = frozenset(name for name in types if not name.endswith(b"/*"))
        self._families = tuple(name[:-1] for name in types if name.endswith(b"/*"))

    def take(self, asked: Asked) -> LocalReply | None:
        """Answer 403 to a program, or 415 to a body, that is not wanted."""
        head = asked.head
        agent, content_type = _FACTS.values(head.raw)
        if self._agents is not None and agent is not None and self._agents.search(agent):
            return LocalReply.refusal(UserAgentDenied("Forbidden"))
        if head.body_length != 0 and (self._types or self._families) and not self._takes(content_type or b""):
            return LocalReply.refusal(UnsupportedType("Unsupported Content-Type"))
        return None

    look = take

    def _takes(self, content_type: bytes) -> bool:
        """Say whether a body of this type may come; its parameters do not matter."""
        essence = content_type.partition(b";")[0].strip().lower()
        return essence in self._types or (b"," not in essence and essence.startswith(self._families))
