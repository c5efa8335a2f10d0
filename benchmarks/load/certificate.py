"""A certificate for the proxies, as most have today: ECDSA with P-256."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from benchmarks.load.programs import HOST

LIFE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files with the certificate, its key, and both, as PEM."""

    cert: Path
    key: Path
    both: Path


def make(folder: Path) -> Certificate:
    """Write a certificate that signs itself; nobody checks it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFE)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert = certificate.public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found = Certificate(folder / "cert.pem", folder / "key.pem", folder / "both.pem")
    for path, text in ((found.cert, cert), (found.key, secret), (found.both, cert + secret)):
        path.write_bytes(text)
    return found
