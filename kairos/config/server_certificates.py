"""The files that a listener shows to clients: read, checked, and said in words what is wrong with them."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kairos.config.environment import read_file
from kairos.config.listening import Certificate, ListenerTls
from kairos.config.pairs import Pair, load_into
from kairos.config.source import reason

MAX_PEM_BYTES = 4 << 20
WARN_DAYS = 14


class Unusable(ValueError):
    """A file cannot be used; `setting` is the key that names it."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(message)
        self.setting = setting


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A usable pair, and until when the certificate counts."""

    pair: Pair
    expires: datetime
    path: str

    def age_warning(self, now: datetime) -> str | None:
        """Return what to say if it has expired, or does so soon."""
        days = (self.expires - now).total_seconds() / 86400
        if days > WARN_DAYS:
            return None
        when = f"{self.expires:%Y-%m-%d %H:%M} UTC"
        if days <= 0:
            return f"The certificate '{self.path}' has expired: it counted until {when}"
        left = "today" if days < 1 else "in 1 day" if days < 2 else f"in {int(days)} days"
        return f"The certificate '{self.path}' expires {left}: it counts until {when}"


def read_pair(certificate: Certificate) -> ServerCertificate:
    """Read a certificate with its key. Raises Unusable."""
    chain = _read("cert_file", certificate.cert_file)
    key = _read("key_file", certificate.key_file)
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
        public = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise _useless("cert_file", certificate.cert_file, "it holds no certificate as PEM that can be read") from None
    try:
        private = load_pem_private_key(key, None)
    except TypeError:
        raise _useless("key_file", certificate.key_file, "the key is encrypted; store it without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _useless("key_file", certificate.key_file, "it holds no private key as PEM that can be read") from None
    if private.public_key() != public:
        why = f"it is not the key of the certificate '{certificate.cert_file}'"
        raise _useless("key_file", certificate.key_file, why)
    pair = Pair(certificate.hosts or names_in(leaf), chain, key)
    try:
        load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pair)
    except (OSError, ValueError) as error:
        raise _useless("cert_file", certificate.cert_file, explained(error)) from None
    return ServerCertificate(pair, leaf.not_valid_after_utc, certificate.cert_file)


def read_authorities(tls: ListenerTls) -> bytes:
    """Read the authorities of client certificates, if they are asked for. Raises Unusable."""
    if tls.client_ca is None or tls.client_auth == "none":
        return b""
    data = _read("client_ca", tls.client_ca)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=data.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):  # ValueError if there is nothing at all
        raise _useless("client_ca", tls.client_ca, "it holds no certificates that can be read") from None
    return data


def check_ciphers(tls: ListenerTls) -> None:
    """See whether OpenSSL knows the ciphers. Raises Unusable."""
    for name in () if tls.min_version == "1.3" else tls.ciphers:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(name)
        except ssl.SSLError:
            raise Unusable("ciphers", f"OpenSSL has no cipher of TLS 1.2 with the name '{name}'") from None


def names_in(leaf: x509.Certificate) -> tuple[str, ...]:
    """Return the names and addresses that a certificate is for, in lower case."""
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return tuple(str(part.value).lower() for part in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME))
    names = [name.lower() for name in alternatives.get_values_for_type(x509.DNSName)]
    addresses = [str(one) for one in alternatives.get_values_for_type(x509.IPAddress)]
    return tuple(dict.fromkeys((*names, *addresses)))


def explained(error: Exception) -> str:
    """Say in words what OpenSSL has against a file."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"OpenSSL refuses it: {error.reason.lower().replace('_', ' ')}"
    return reason(error) if isinstance(error, OSError) else str(error)


def _read(setting: str, name: str) -> bytes:
    try:
        return read_file(Path(name), MAX_PEM_BYTES)
    except (OSError, ValueError) as error:
        raise Unusable(setting, f"Cannot read '{name}': {reason(error)}") from None


def _useless(setting: str, name: str, why: str) -> Unusable:
    return Unusable(setting, f"Cannot use '{name}': {why}")
