"""What browsers are told: which pages may call (CORS), and what a page may do (security headers)."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from kairos.config.findings import quote
from kairos.config.hosts import canonical_name
from kairos.config.model.base import Block, Unsigned32, refusal
from kairos.config.regex import Regex

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2
FIELD_TEXT = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""A field value of ASCII letters (RFC 9110 section 5.5): no control characters, and no space at its ends."""
ORIGIN = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<any>\*\.)?(?P<host>\[[^\]/]+\]|[^\[\]/:?#@*\s]+)(?::(?P<port>[0-9]{1,5}))?"
)
DEFAULT_PORTS = {"http": "80", "https": "443"}
SOMEBODY = (b"https://somebody-else.invalid", b"http://x.invalid:8081")
"""Origins that belong to nobody (RFC 2606 section 2), so that an expression that takes one of them takes too many."""


def check_origin(text: str) -> str:
    """Take an origin, one with a wildcard for its subdomains, or `*`; return it as browsers write it (RFC 6454)."""
    if text == "*":
        return text
    if text == "null":
        raise refusal("Not an origin that can be told from others: null", 'anybody can have it; write "*" to allow all')
    match = ORIGIN.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        scheme, host = match["scheme"].lower(), canonical_name(match["host"])
    except ValueError:
        fix = 'write for example "https://app.example.com" or "https://*.example.com", without a path'
        raise refusal(f"Not an origin: {text}", fix) from None
    port = "" if match["port"] in (None, DEFAULT_PORTS.get(scheme)) else f":{match['port']}"
    return f"{scheme}://{match['any'] or ''}{host}{port}"


def check_origin_pattern(pattern: str) -> str:
    """Take a regular expression that can be used, and that does not take everybody."""
    try:
        regex = Regex(pattern)
    except ValueError as exc:
        raise refusal(f"Not a regular expression that can be used: {exc}", "write it in the syntax of RE2") from None
    if any(map(regex.is_all, SOMEBODY)):
        raise refusal(
            "The expression takes the origins of anybody", 'name the hosts in it, or write "*" into "allowed_origins"'
        )
    return pattern


def check_cors_method(method: str) -> str:
    """Take a method in upper case, or `*`."""
    if not TOKEN.fullmatch(method):
        raise refusal(f"Not a method: {method}", 'write for example "GET"')
    if method != method.upper():  # the Fetch standard compares case-sensitively
        raise refusal(f"Not a method: {method}", f"write {quote(method.upper())}")
    return method


def check_field_name(name: str) -> str:
    """Take the name of a header field, or `*`."""
    if not TOKEN.fullmatch(name):
        raise refusal(f"Not the name of a header field: {name}", 'write for example "Content-Type"')
    return name


Origin = Annotated[str, AfterValidator(check_origin)]
OriginPattern = Annotated[str, AfterValidator(check_origin_pattern)]
CorsMethod = Annotated[str, AfterValidator(check_cors_method)]
FieldName = Annotated[str, AfterValidator(check_field_name)]


class Cors(Block):
    """Which pages of other origins may call (the Fetch standard's CORS protocol).

    A preflight is answered by the gateway with 204, before authentication, by the route that its
    `Access-Control-Request-Method` leads to; that route needs no OPTIONS. What the backend says of CORS is replaced. A
    block in a route replaces the one of the gateway as a whole; `"enabled": false` there leaves CORS to the backend.
    """

    enabled: bool = True
    """Whether CORS answers are given at all; otherwise they are the backend's business."""
    allowed_origins: list[Origin] | None = None
    """Origins that may call: exact, or with a wildcard for all subdomains like `https://*.example.com`, or `*` for all.
    null means all, unless there are `allowed_origin_patterns`."""
    allowed_origin_patterns: list[OriginPattern] = []
    """Regular expressions (RE2); the origin as a whole has to match one of them."""
    allowed_methods: list[CorsMethod] = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
    """Methods that they may use; `*` means all."""
    allowed_headers: list[FieldName] = ["Authorization", "Content-Type"]
    """Request headers that they may send; `*` means all."""
    exposed_headers: list[FieldName] = []
    """Response headers that they may read, besides those that all may."""
    allow_credentials: bool = False
    """Whether cookies and credentials may be sent. Then the origins have to be named."""
    max_age: Unsigned32 = 3600
    """How many seconds a browser may remember the answer to a preflight."""
    allow_private_network: bool = False
    """Whether public pages may call a gateway in a private network."""

    def origins(self) -> list[str]:
        """Return the origins that may call, besides those of the patterns."""
        if self.allowed_origins is not None:
            return self.allowed_origins
        return [] if self.allowed_origin_patterns else ["*"]


def setting(check: Callable[[str], str]) -> BeforeValidator:
    """Make the validator of a header that is a text, or a switch."""

    def checked(value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, str):
            raise refusal("A header is a text, true or false", "put its value in double quotes")
        if not FIELD_TEXT.fullmatch(value):
            raise refusal("Not the value of a header field", "write ASCII letters without line breaks")
        return check(value)

    return BeforeValidator(checked)


def check_frame_options(text: str) -> str:
    """Take what browsers know (RFC 7034)."""
    if text.upper() not in ("DENY", "SAMEORIGIN"):
        raise refusal(f"Not a value of X-Frame-Options: {text}", 'write "DENY" or "SAMEORIGIN"')
    return text.upper()


REFERRER_POLICIES = (
    "no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin", "strict-origin",
    "strict-origin-when-cross-origin", "unsafe-url",
)  # fmt: skip


def check_referrer_policy(text: str) -> str:
    """Take one policy or several, of which a browser uses the last that it knows."""
    for policy in text.split(","):
        if policy.strip().lower() not in REFERRER_POLICIES:
            raise refusal(f"Not a value of Referrer-Policy: {text}", f"use one of {', '.join(REFERRER_POLICIES)}")
    return text


STRICT_TRANSPORT = re.compile(r"(?i)max-age=(?:[0-9]+|\"[0-9]+\")(?: *; *(?:includeSubDomains|preload))*")


def check_strict_transport(text: str) -> str:
    """Take the directives that there are (RFC 6797 section 6.1)."""
    if not STRICT_TRANSPORT.fullmatch(text):
        raise refusal(
            f"Not a value of Strict-Transport-Security: {text}", 'write "max-age=31536000; includeSubDomains"'
        )
    return text


def check_one_of(name: str, *known: str) -> Callable[[str], str]:
    """Make the check of a header that has few values."""

    def check(text: str) -> str:
        if text not in known:
            raise refusal(f"Not a value of {name}: {text}", f"use one of {', '.join(known)}")
        return text

    return check


def as_it_is(text: str) -> str:
    """Take any text."""
    return text


HEADER = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "boolean"}, {"type": "null"}]})
OPENERS = ("unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups")


class SecurityHeaders(Block):
    """Headers that tell browsers what a page may do. `X-Content-Type-Options: nosniff` is always there.

    A text is what every answer has, whatever the backend says. `false` takes the header away, the backend's too; `true`
    leaves it to the backend. null takes what the gateway has, and there it leaves the header to the backend.
    """

    x_frame_options: Annotated[str | bool | None, setting(check_frame_options), HEADER] = None
    """`X-Frame-Options`: `DENY` or `SAMEORIGIN`."""
    referrer_policy: Annotated[str | bool | None, setting(check_referrer_policy), HEADER] = None
    """`Referrer-Policy`, such as `strict-origin-when-cross-origin`."""
    strict_transport_security: Annotated[str | bool | None, setting(check_strict_transport), HEADER] = None
    """`Strict-Transport-Security` (HSTS), such as `max-age=31536000; includeSubDomains`; sent over TLS only."""
    content_security_policy: Annotated[str | bool | None, setting(as_it_is), HEADER] = None
    """`Content-Security-Policy`, such as `default-src 'self'`."""
    permissions_policy: Annotated[str | bool | None, setting(as_it_is), HEADER] = None
    """`Permissions-Policy`, such as `geolocation=(), camera=()`."""
    cross_origin_opener_policy: Annotated[
        str | bool | None, setting(check_one_of("Cross-Origin-Opener-Policy", *OPENERS)), HEADER
    ] = None
    """`Cross-Origin-Opener-Policy`, such as `same-origin`."""
    cross_origin_resource_policy: Annotated[
        str | bool | None,
        setting(check_one_of("Cross-Origin-Resource-Policy", "same-origin", "same-site", "cross-origin")),
        HEADER,
    ] = None
    """`Cross-Origin-Resource-Policy`, such as `same-origin`."""
