"""Host names and addresses in the one form in which the rest compares them."""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
BACKEND = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<host>\[[^\]]+\]|[^\[\]/:?#@\s]+)")
MAX_NAME, MAX_LABEL = 253, 63  # RFC 1035 section 2.3.4


def canonical_name(name: str) -> str:
    """Return a host name or address in lower case, as ASCII (IDNA, RFC 3490); IPv6 keeps its brackets.

    Raises ValueError for what can be neither.
    """
    if name.startswith("[") and name.endswith("]"):
        return f"[{ipaddress.IPv6Address(name[1:-1])}]"
    ascii_name = name.removesuffix(".").lower()
    if not ascii_name.isascii():
        ascii_name = ascii_name.encode("idna").decode("ascii")
    labels = ascii_name.split(".")
    if len(ascii_name) > MAX_NAME or not all(LABEL.fullmatch(label) and len(label) <= MAX_LABEL for label in labels):
        raise ValueError(f"not a host name: {name}")
    if labels[-1].isdigit():
        return str(ipaddress.IPv4Address(ascii_name))
    return ascii_name


def canonical_pattern(pattern: str) -> str:
    """Return the host pattern of a route: a name, or `*.` and a name."""
    if pattern.startswith("*."):
        return f"*.{canonical_name(pattern[2:])}"
    return canonical_name(pattern)


def listening_host(text: str) -> str:
    """Return an address or name to listen on, without the brackets of IPv6; whether it exists is another question.

    Raises ValueError for what can be neither.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare:
        return str(ipaddress.IPv6Address(bare))
    return canonical_name(bare)


class Target(NamedTuple):
    """The host of a backend: a name or an address without brackets, and its scheme, empty for a bare host."""

    scheme: str
    host: str


@lru_cache(maxsize=65536)  # every rule asks, and routes share their backends
def backend_target(text: str) -> Target:
    """Split what stands in the `host` of a backend: `scheme://name`, or a bare name or address.

    Raises ValueError if there is anything else in it, such as a port, a path or a user name.
    """
    if text.count(":") > 1 and "://" not in text and "[" not in text:
        return Target("", canonical_name(f"[{text}]").strip("[]"))  # a bare IPv6 address
    match = BACKEND.fullmatch(text)
    if match is None:
        raise ValueError(f"not a host: {text}")
    return Target((match["scheme"] or "").lower(), canonical_name(match["host"]).strip("[]"))
