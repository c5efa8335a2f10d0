"""Host names, as a route lists them."""

import ipaddress
import re

from kairos._speedups.matcher import host_name
from kairos.routing.pattern import PatternError

_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


def parse_host(text: str) -> tuple[bytes, bool]:
    """Return a host as the matcher looks it up, and whether it is a wildcard; raise `PatternError` if it is neither.

    A wildcard `*.example.com` stands for every name that ends with `.example.com`, however many labels come before.
    """
    if text.startswith("["):
        return _parse_address(text), False
    if ":" in text:
        raise PatternError(f"The host '{text}' has a port", "leave it out: it plays no part; IPv6 has brackets")
    if not text.isascii():
        raise PatternError(f"The host '{text}' is not ASCII", "write it as requests carry it, in punycode: xn--...")
    name = host_name(text.encode()).decode()
    if not _NAME.fullmatch(name.removeprefix("*.")):
        raise PatternError(f"'{text}' is not a host", "write a name, an address, or '*.' and a name")
    return name.removeprefix("*").encode(), name.startswith("*")


def _parse_address(text: str) -> bytes:
    try:
        return f"[{ipaddress.IPv6Address(text[1:-1])}]".encode()
    except ipaddress.AddressValueError:
        raise PatternError(f"'{text}' is not an IPv6 address in brackets", "write it like [2001:db8::1]") from None
