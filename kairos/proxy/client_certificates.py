"""What backends are told of the certificate that a client has shown."""

from hashlib import sha256
from ssl import SSLError, cert_time_to_seconds
from typing import Any

# RFC 4514 section 3, and the names that other programs use beside those.
SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
NONE = b"X-Client-Cert-Verified: NONE\r\n"
_SPECIAL = frozenset('"+,;<>\\')


def lines_of(connection: Any, now: float) -> bytes:
    """Return the fields about the certificate of a connection; of one without, that there is none.

    Raises ValueError if it is of no use, in words that say why. `now` is the time of the day in seconds: OpenSSL looks
    at the time only in full handshakes, and from a session that is resumed in TLS 1.3 the next one can be, for ever.
    """
    encoded = connection.getpeercert(True)
    if encoded is None:
        return NONE
    try:
        facts = connection.getpeercert() or {}
    except (SSLError, ValueError):  # an authority may have signed whatever bytes it was given
        raise ValueError("a name in it cannot be read") from None
    expires = facts.get("notAfter")
    if connection.session_reused and expires and cert_time_to_seconds(expires) < now:
        raise ValueError("certificate has expired, since its session began")
    subject, issuer = (distinguished_name(facts.get(name, ())) for name in ("subject", "issuer"))
    return (
        b"X-Client-Cert-Verified: SUCCESS\r\n"
        b"X-Client-Cert-Subject: %b\r\nX-Client-Cert-Issuer: %b\r\n"
        b"X-Client-Cert-Serial: %b\r\nX-Client-Cert-Fingerprint: %b\r\n"
    ) % (subject, issuer, str(facts.get("serialNumber", "")).encode(), sha256(encoded).hexdigest().encode())


def distinguished_name(name: object) -> bytes:
    """Write a name as RFC 4514 does, the most specific part first; what a header cannot carry is escaped."""
    parts = [
        "+".join(f"{SHORT.get(key, key)}={_escaped(value)}" for key, value in part)
        for part in reversed(name if isinstance(name, tuple) else ())
    ]
    return ",".join(parts).encode()


def _escaped(value: str) -> str:
    """Escape as RFC 4514 section 2.4 says, and everything beyond ASCII too, as it allows."""
    text = []
    for index, letter in enumerate(value):
        is_edge = (letter == " " and index in (0, len(value) - 1)) or (letter == "#" and index == 0)
        if letter in _SPECIAL or is_edge:
            text.append("\\" + letter)
        elif " " <= letter <= "~":
            text.append(letter)
        else:
            text += (f"\\{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
    return "".join(text)
