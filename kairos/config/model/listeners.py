"""Where the gateway listens, and how each listener treats its clients."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from kairos.config.hosts import canonical_pattern, listening_host
from kairos.config.model.base import U16, Block, Unsigned16, refusal

UNIX_PEERS = "unix:"
"""What stands among networks for the peers on Unix sockets, which have no address."""
LONGEST_PATH = 107
"""The bytes of a path that a Unix socket can have (unix(7), with the zero at its end)."""
SOCKET_MODE = r"^0?[0-7]{3}$"
SOCKET_NAME = r"^[!-9;-~]{1,255}$"
"""What systemd takes for a FileDescriptorName: visible ASCII without a colon."""
CIPHER = r"^[A-Z0-9]+(-[A-Z0-9]+)*$"


def check_listening_host(text: str) -> str:
    """Take an address or a name; return it without the brackets of IPv6."""
    try:
        return listening_host(text)
    except ValueError:
        fix = 'write an address such as "127.0.0.1" or "::", or a name, without scheme and port'
        raise refusal(f"Not an address to listen on: {text}", fix) from None


def check_peer(text: str) -> str:
    """Take an address, a network in CIDR notation in its shortest form, or the word for peers on Unix sockets."""
    if text == UNIX_PEERS:
        return text
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as exc:
        fix = 'write for example "10.0.0.0/8" or "2001:db8::/32", or "unix:" for the peers on Unix sockets'
        raise refusal(f"Not an address or network: {exc}", fix) from None


def check_certificate_host(pattern: str) -> str:
    """Take an exact host name or a wildcard; return it in lower case, as ASCII (IDNA)."""
    try:
        return canonical_pattern(pattern)
    except ValueError:
        fix = 'write for example "example.com" or "*.example.com", without a port'
        raise refusal(f"Invalid host: {pattern}", fix) from None


def check_socket_path(path: str) -> str:
    """Take a path that fits into the address of a Unix socket."""
    if len(path.encode()) > LONGEST_PATH or "\0" in path:
        raise refusal(f"The path of a Unix socket has at most {LONGEST_PATH} bytes", "choose a shorter one")
    return path


def check_socket_mode(mode: str) -> str:
    """Take permissions as chmod does."""
    if not re.search(SOCKET_MODE, mode) or mode.endswith("\n"):
        raise refusal(f"Not the permissions of a socket: {mode}", 'write three octal digits such as "0660"')
    return mode


def check_socket_name(name: str) -> str:
    """Take a name that systemd can give to a socket."""
    if not re.search(SOCKET_NAME, name) or name.endswith("\n"):
        raise refusal(f"Not the name of a socket: {name}", "write the FileDescriptorName of the .socket unit")
    return name


def check_cipher(name: str) -> str:
    """Take what looks like a name of OpenSSL: rules such as `!aNULL` are not for here."""
    if not re.search(CIPHER, name) or name.endswith("\n"):
        fix = 'write names as `openssl ciphers -v -tls1_2` shows them, such as "ECDHE-ECDSA-AES128-GCM-SHA256"'
        raise refusal(f"Not the name of a cipher: {name}", fix)
    return name


def refuse_ocsp(value: Any) -> Any:
    """Take no stapling: it would have no effect."""
    if value is None or value is False:
        return value
    message = "OCSP stapling cannot be done: Python's ssl module has no way for a server to send a response"
    raise refusal(message, "remove it; use short-lived certificates, or a TLS proxy in front that staples")


def check_redirect(value: Any) -> Any:
    """Take a switch, or the port to redirect to."""
    if isinstance(value, bool) or (isinstance(value, int) and 1 <= value <= U16):
        return value
    raise refusal("A redirect to HTTPS is true, false or a port", "write true, false, or for example 443")


FilePath = Annotated[str, Field(min_length=1)]
Peer = Annotated[str, AfterValidator(check_peer)]
ListeningHost = Annotated[str, Field(min_length=1), AfterValidator(check_listening_host)]
Stapling = Annotated[bool | None, BeforeValidator(refuse_ocsp), WithJsonSchema({"enum": [False, None]})]
Redirect = Annotated[
    bool | int,
    BeforeValidator(check_redirect),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 1, "maximum": U16}]}),
]


class Certificate(Block):
    """A certificate of a listener."""

    cert_file: FilePath
    """The certificate chain, as PEM, relative to the config file."""
    key_file: FilePath
    """The private key, as PEM, relative to the config file."""
    hosts: list[Annotated[str, AfterValidator(check_certificate_host)]] = []
    """The names that it is for: exact ones, and `*.` before a name for all one label below it. Empty takes those that
    stand in the certificate."""


class Tls(Block):
    """How a listener speaks TLS. The files are watched: new ones are used for new connections."""

    cert_file: FilePath | None = None
    """The certificate chain, as PEM, relative to the config file."""
    key_file: FilePath | None = None
    """The private key, as PEM, relative to the config file."""
    certificates: list[Certificate] = []
    """More certificates, of which each client gets the one for the name that it asks for (SNI). The first of all, which
    is `cert_file` if that is given, is for those who ask for no name or for another."""
    min_version: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that clients may speak."""
    client_ca: FilePath | None = None
    """The authorities that client certificates must come from, as PEM, relative to the config file."""
    client_auth: Literal["none", "optional", "required"] | None = None
    """Whether clients are asked for a certificate; null is `required` if there is a `client_ca`, else `none`."""
    ciphers: list[Annotated[str, AfterValidator(check_cipher), Field(json_schema_extra={"pattern": CIPHER})]] = []
    """The ciphers of TLS 1.2 by OpenSSL's names, the best first; empty takes those that are safe today. Those of TLS
    1.3 are all safe."""
    ocsp: Stapling = None
    """Refused, because it cannot be done."""
    ocsp_stapling: Stapling = None
    """Refused, because it cannot be done."""


class Listener(Block):
    """A place where the gateway listens: `host` and `port`, or `unix`, or `systemd`."""

    host: ListeningHost | None = None
    """The address to listen on, or a name for it; null is `0.0.0.0`. `::` is all of IPv6 and IPv4."""
    port: Unsigned16 | None = None
    """The port to listen on; 0 lets the system choose."""
    unix: Annotated[str, Field(min_length=1), AfterValidator(check_socket_path)] | None = None
    """The path of a Unix socket, relative to the config file."""
    mode: Annotated[str, AfterValidator(check_socket_mode), Field(json_schema_extra={"pattern": SOCKET_MODE})] = "0660"
    """The permissions of the Unix socket, in octal digits."""
    systemd: (
        Annotated[str, AfterValidator(check_socket_name), Field(json_schema_extra={"pattern": SOCKET_NAME})] | None
    ) = None
    """The name of sockets that systemd has opened: their FileDescriptorName, by default the name of the unit, such as
    `kairos.socket`."""
    tls: Tls | None = None
    """Speak HTTPS with these certificates."""
    redirect_to_https: Redirect = False
    """Send every request to the same URL with https: true for the port of the first listener with `tls`, or 443 if
    there is none; or the port of HTTPS as clients see it. `/health`, `/ready` and `/live` are answered, and whoever has
    come by HTTPS to a trusted proxy is."""
    proxy_protocol: bool = False
    """Whether each connection begins with a header of the PROXY protocol, version 1 or 2, that tells the client's
    address. It has to come from one of `trusted_proxies`; any other connection is closed."""
