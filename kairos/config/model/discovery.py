"""Where backends are: how their host names become addresses."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kairos.config.model.base import Block, refusal

DNS_PORT = 53
LONGEST_TTL = 86_400


def check_name_server(text: str) -> str:
    """Take `address` or `address:port`, IPv6 in brackets if there is a port; return it with its port."""
    try:
        return name_server(text)
    except ValueError:
        fix = 'write an address, such as "10.0.0.2", "10.0.0.2:5353" or "[2001:db8::2]:53"'
        raise refusal(f"Not the address of a name server: {text}", fix) from None


def name_server(text: str) -> str:
    """Return the address with its port; ValueError if it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or ("[" not in text and ":" in host) or text.endswith("]"):  # no port
        host, port = text, str(DNS_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise ValueError(text)
    if host.startswith("[") != host.endswith("]"):
        raise ValueError(text)
    address = ipaddress.ip_address(host.strip("[]"))
    if "[" in host and address.version == 4:
        raise ValueError(text)
    return f"{address}:{int(port)}" if address.version == 4 else f"[{address}]:{int(port)}"


NameServer = Annotated[str, AfterValidator(check_name_server)]


class Discovery(Block):
    """How the host names of backends are resolved.

    Each address of a name is a backend of its own, for as long as the name has it. Names in the system's hosts file
    need no name server.
    """

    resolver: list[NameServer] = []
    """The name servers to ask, as `address` or `address:port`, which take names as they are; without any, those of the
    system are asked, with its search domains, and what they do not know is left to the system's own look-up."""
    min_ttl: Annotated[float, Field(ge=1, le=LONGEST_TTL)] = 1.0
    """The seconds for which an answer holds at least, whatever its TTL."""
    max_ttl: Annotated[float, Field(ge=1, le=LONGEST_TTL)] = 60.0
    """The seconds after which a name is resolved again at the latest."""
    ipv: Literal["any", "4", "6"] = "any"
    """The IP version. With `any` a name that has addresses of both is reached by IPv4, and by IPv6 while it cannot be
    connected to by IPv4."""
