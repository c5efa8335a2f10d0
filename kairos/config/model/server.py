"""The gateway itself: where it listens, whom it believes, what it logs, and which paths it answers on its own."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from kairos.config.model.base import Block, Prefixed, Unsigned16, refusal
from kairos.config.model.listeners import Listener, ListeningHost, Peer, Tls

LogLevel = Literal["trace", "debug", "info", "warn", "warning", "error", "off"]


VIA_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
"""A token (RFC 9110 section 5.6.2)."""


def check_pseudonym(name: str) -> str:
    """Take a name for the Via field (RFC 9110 section 7.6.3)."""
    if not re.search(VIA_NAME, name) or name.endswith("\n"):
        fix = 'write a name such as "kairos", of letters, digits, "-", "." and "_"; or null for no Via'
        raise refusal(f"Not a name for the Via field: {name}", fix)
    return name


class Server(Block):
    """Where the gateway listens, and the processes behind it. The command line wins over these settings."""

    host: ListeningHost = "0.0.0.0"
    """The address to listen on, or a name for it."""
    port: Unsigned16 = 5900
    """The port to listen on; 0 lets the system choose."""
    tls: Tls | None = None
    """Speak HTTPS there, with these certificates."""
    listeners: list[Listener] = []
    """Where to listen, if that is more than one place. Where `host`, `port` or `tls` is written too, they are the first
    listener, before these."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """The number of worker processes; 0 is one per processor core."""
    trusted_proxies: list[Peer] = []
    """The networks of proxies whose `X-Forwarded-For`, `-Proto`, `-Host` and `X-Request-ID` are believed, and whose
    PROXY headers; those of others are replaced. `unix:` is for all who connect to a Unix socket."""
    via: Annotated[str, AfterValidator(check_pseudonym), Field(json_schema_extra={"pattern": VIA_NAME})] | None = None
    """The name under which the gateway enters itself into `Via`, in requests and responses; null leaves it out."""
    forwarded: bool = False
    """Whether backends also get the `Forwarded` field (RFC 7239)."""


class Logging(Block):
    """The application log and the access log."""

    level: LogLevel = "info"
    """The least serious level that the application log shows."""
    access_log: Annotated[str, Field(min_length=1)] | None = None
    """Where one JSON line per request goes: a path in a folder that exists, `stdout`, or null for none."""


BUILTIN_PREFIX = Prefixed("The prefix of the built-in routes must start with '/'")


PLAIN_PATH = r"^(?=/)(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)*/?$"
"""A path in the form that the matcher sees: nothing to decode, to resolve or to collapse (RFC 3986 section 6.2.2)."""


def check_builtin_routes(value: Any) -> Any:
    """Take a switch, or a path under which the built-in routes live."""
    if isinstance(value, str):
        if not re.search(PLAIN_PATH, BUILTIN_PREFIX.check(value)):
            fix = 'write for example "/_kairos": segments of letters, digits, "-", ".", "_" and "~"'
            raise refusal("The prefix of the built-in routes must be a plain path", fix)
        return value.rstrip("/")
    if not isinstance(value, bool):
        raise refusal("Built-in routes are true, false or a prefix", 'write true, false, or for example "/_kairos"')
    return value


BuiltinRoutes = Annotated[
    bool | str,
    BeforeValidator(check_builtin_routes),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": PLAIN_PATH}]}),
]
