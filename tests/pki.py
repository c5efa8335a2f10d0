"""A public key infrastructure of our own: authorities, and certificates for servers and clients."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # as DER
USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key, in the files `cert` and `key`."""

    folder: Path
    name: str
    body: x509.Certificate
    secret: ec.EllipticCurvePrivateKey

    @property
    def cert(self) -> Path:
        """The file with the certificate as PEM."""
        return self.folder / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        """The file with the key as PEM."""
        return self.folder / f"{self.name}.key"

    def write(self, *chain: "Certificate") -> "Certificate":
        """Write both files; the certificates in between follow the first one."""
        pem = b"".join(one.body.public_bytes(Encoding.PEM) for one in (self, *chain))
        self.cert.write_bytes(pem)
        self.key.write_bytes(self.secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return self

    def issue(self, name: str, *alternatives: str, **options: object) -> "Certificate":
        """Sign a certificate, for hosts such as `well.example` or `127.0.0.1`."""
        return issued(self.folder, name, alternatives, self, **options)  # type: ignore[arg-type]

    def forged(self, issuer: "Certificate", plain: bytes, strange: bytes) -> "Certificate":
        """Sign it anew with some of its bytes replaced by as many others, which no builder would write."""
        content = self.body.tbs_certificate_bytes
        assert plain in content
        content = content.replace(plain, strange)
        signature = b"\0" + issuer.secret.sign(content, ec.ECDSA(SHA256()))
        parts = content + ECDSA_WITH_SHA256 + bytes((0x03, len(signature))) + signature
        self.cert.write_text(ssl.DER_cert_to_PEM_cert(b"\x30\x82" + len(parts).to_bytes(2, "big") + parts))
        return self

    def server(self, client_ca: "Certificate | None" = None) -> ssl.SSLContext:
        """Return the context of a server that shows this one, and wants one of clients if it knows an authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca.cert)
        return context


def authority(folder: Path, name: str = "ca") -> Certificate:
    """Make an authority that trusts itself."""
    return issued(folder, name, (), None, is_authority=True)


def issued(
    folder: Path,
    name: str,
    alternatives: tuple[str, ...],
    issuer: Certificate | None,
    *,
    begins: timedelta = -DAY,
    ends: timedelta = DAY,
    is_authority: bool = False,
    usage: str = "",
) -> Certificate:
    """Make and write a certificate; without an issuer it signs itself. `begins` and `ends` count from now."""
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer.body.subject if issuer else subject,
        subject,
        secret.public_key(),
        x509.random_serial_number(),
        now + begins,
        now + ends,
    ).add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(map(general_name, alternatives)), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([USAGES[usage]]), critical=False)
    body = builder.sign(issuer.secret if issuer else secret, SHA256())
    return Certificate(folder, name, body, secret).write()


def general_name(text: str) -> x509.GeneralName:
    """Return the name of a host as it stands in a certificate."""
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
