"""What the blocks about authentication are made of, and what is refused there."""

import re
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from kairos.config.model.base import (
    BY_SHAPE,
    NAMED,
    SECRET_SCHEMA,
    WITH_SETTINGS,
    Secret,
    SecretText,
    read_secret,
    refusal,
)
from kairos.config.passwords import read_hash
from kairos.config.signatures import Algorithm, read_pem

HOW_TO_GIVE_A_KEY = 'give a public key as PEM, or {"file": "path"} of one'
HOW_TO_HASH_A_KEY = "make a key with: openssl rand -hex 32; and its hash with: printf %s KEY | sha256sum"
HOW_TO_HASH_A_PASSWORD = "make one with: kairos hash-password"  # noqa: S105
FIELD_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
GUESSABLE = frozenset(
    sha256(text).hexdigest()
    for key in (b"", b"secret", b"password", b"changeme", b"test", b"admin", b"key", b"api-key", b"123456", b"KEY")
    for text in (key, key + b"\n")
)
OUR_FIELDS = frozenset((
    "host", "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "content-length",
    "content-type", "expect", "trailer", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
    "x-forwarded-port", "x-real-ip", "x-kairos-peer", "x-request-id", "authorization", "proxy-authorization",
    "proxy-authenticate", "cookie", "date", "via",
))  # fmt: skip
"""The fields that decide about a message, or that the gateway writes itself."""


def check_pem(text: str) -> str:
    """Take a public key, or a certificate for the sake of its key."""
    try:
        read_pem(text)
    except ValueError as exc:
        raise refusal(str(exc), HOW_TO_GIVE_A_KEY) from None
    return text


def check_url(url: str) -> str:
    """Take an address on the web."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isascii() or not url.isprintable() or " " in url:
        raise refusal(f"Not a web address: {url}", 'write for example "https://id.example/.well-known/jwks.json"')
    if parts.username is not None:
        raise refusal("The address has a user name in it", "write it without")
    return url


def check_field_name(name: str) -> str:
    """Take the name of a header field that has no meaning yet."""
    if FIELD_NAME.fullmatch(name) is None:
        raise refusal(f"Not a header name: {name}", "use letters, digits and hyphens")
    if name.lower() in OUR_FIELDS:
        raise refusal(f"The header {name} has a meaning of its own", "use another name")
    return name


def check_plain_name(name: str) -> str:
    """Take the name of a cookie or of a query parameter."""
    if PLAIN_NAME.fullmatch(name) is None:
        raise refusal(f"Not a plain name: {name}", "use letters, digits, hyphens, dots and underscores")
    return name


def check_digest(text: str) -> str:
    """Take the SHA-256 of a key that cannot be guessed."""
    if SHA256.fullmatch(text) is None:
        raise refusal("Not a SHA-256 in hex", HOW_TO_HASH_A_KEY)
    if text in GUESSABLE:
        raise refusal("This is the hash of a key that anybody would guess", HOW_TO_HASH_A_KEY)
    return text


def check_password(secret: Secret) -> Secret:
    """Take a hash of scrypt."""
    try:
        read_hash(secret.get_secret_value())
    except ValueError as exc:
        raise refusal(str(exc), HOW_TO_HASH_A_PASSWORD) from None
    return secret


def check_user(name: str) -> str:
    """Take a name that can stand before the colon (RFC 7617 section 2)."""
    if ":" in name or not name.isprintable():
        raise refusal("A user name has neither colons nor control characters", "use another name")
    return name


def check_realm(text: str) -> str:
    """Take a text that can stand in quotes (RFC 9110 section 5.6.4)."""
    if not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
        raise refusal("A realm has only letters of ASCII, and neither quotes nor backslashes", "use another text")
    return text


def check_expiry(text: str) -> str:
    """Take a moment with its time zone (RFC 3339)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refusal(f"Not a time with its zone: {text}", 'write for example "2030-12-31T23:59:59Z"')
    return text


def check_claim_values(value: Any) -> Any:
    """Take what a claim may be: one plain value, or several of which it is one; null stands for any."""
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(one, (dict, list)) or (one is None and value is not None) for one in values):
        raise refusal("A claim is compared with a text, a number or a switch", "write one, or an array of several")
    return value


def number_of(value: Any) -> str:
    """Tell one from several."""
    return "several" if isinstance(value, list) else "one"


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[Annotated[Text, Tag("one")] | Annotated[list[Text], Tag("several")], Discriminator(number_of)]
Algorithms = Annotated[
    Annotated[Algorithm, Tag("one")] | Annotated[list[Algorithm], Tag("several")], Discriminator(number_of)
]
FieldName = Annotated[str, AfterValidator(check_field_name)]
PlainName = Annotated[str, AfterValidator(check_plain_name)]
RequiredClaims = Annotated[
    Annotated[list[Text], NAMED]
    | Annotated[dict[Text, Annotated[Any, AfterValidator(check_claim_values)]], WITH_SETTINGS],
    BY_SHAPE,
]
PEM_SCHEMA = {"anyOf": [{"type": "string"}, SECRET_SCHEMA["anyOf"][1]]}
PublicPem = Annotated[str, BeforeValidator(read_secret), AfterValidator(check_pem), WithJsonSchema(PEM_SCHEMA)]
Url = Annotated[str, AfterValidator(check_url)]
Digest = Annotated[str, AfterValidator(check_digest)]
PasswordHash = Annotated[SecretText, AfterValidator(check_password)]
UserName = Annotated[Text, AfterValidator(check_user)]
Moment = Annotated[str, AfterValidator(check_expiry)]
