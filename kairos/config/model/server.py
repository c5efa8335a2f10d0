"""The gateway itself: where it listens, what it logs, and which paths it answers on its own."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from kairos.config.model.base import Block, Prefixed, Unsigned16, refusal

LogLevel = Literal["trace", "debug", "info", "warn", "warning", "error", "off"]


class Tls(Block):
    """Certificates of the listener, and whether clients must show one."""

    cert_file: str
    """The certificate chain, as PEM."""
    key_file: str
    """The private key, as PEM."""
    client_ca: str | None = None
    """The authorities that client certificates must come from, as PEM."""
    client_auth: Literal["none", "optional", "required"] = "none"
    """Whether clients are asked for a certificate."""


class Server(Block):
    """The listener and the processes behind it. The command line wins over these settings."""

    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"
    """The address to listen on."""
    port: Unsigned16 = 5900
    """The port to listen on; 0 lets the system choose."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """The number of worker processes; 0 is one per processor core."""
    tls: Tls | None = None
    """Serve HTTPS with these certificates."""


class Logging(Block):
    """The application log and the access log."""

    level: LogLevel = "info"
    """The least serious level that the application log shows."""
    access_log: Annotated[str, Field(min_length=1)] | None = None
    """Where one JSON line per request goes: a path, `stdout`, or null for none."""


BUILTIN_PREFIX = Prefixed("The prefix of the built-in routes must start with '/'")


def check_builtin_routes(value: Any) -> Any:
    """Take a switch, or a path under which the built-in routes live."""
    if isinstance(value, str):
        if set(value) & set("{}?#"):
            raise refusal("The prefix of the built-in routes must be a plain path", 'write for example "/_kairos"')
        return BUILTIN_PREFIX.check(value).rstrip("/")
    if not isinstance(value, bool):
        raise refusal("Built-in routes are true, false or a prefix", 'write true, false, or for example "/_kairos"')
    return value


BuiltinRoutes = Annotated[
    bool | str,
    BeforeValidator(check_builtin_routes),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^/"}]}),
]
