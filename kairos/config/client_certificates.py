"""The certificates that a config names for the gateway to show to backends, and their private keys."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from kairos.config.environment import read_file
from kairos.config.findings import Draft
from kairos.config.model.router import BackendTls
from kairos.config.source import reason
from kairos.config.validate import Validated, in_router

MAX_PEM_BYTES = 1 << 20


class Unusable(ValueError):
    """A certificate or key cannot be used; `setting` is the one at fault."""

    def __init__(self, setting: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.setting = setting
        self.fix = fix


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A usable pair: where the files are, and the SHA-256 of their contents. `key` may be the same file."""

    certificate: str
    key: str
    digest: str


@dataclass(slots=True)
class ClientCertificates:
    """Reads each pair once. Relative names start in `folder`; paths are not resolved, as links may change."""

    folder: Path
    found: dict[tuple[str, str | None], ClientCertificate | Unusable] = field(default_factory=dict)

    def of(self, certificate: str, key: str | None) -> ClientCertificate:
        """Return what is known of a pair; without `key` it is in the file of the certificate. Raises Unusable."""
        if (certificate, key) not in self.found:
            try:
                self.found[certificate, key] = self.look(certificate, key)
            except Unusable as exc:
                self.found[certificate, key] = exc
        found = self.found[certificate, key]
        if isinstance(found, Unusable):
            raise found
        return found

    def look(self, certificate: str, key: str | None) -> ClientCertificate:
        """Read a pair and see whether OpenSSL takes it."""
        certificate_path = (self.folder / certificate).absolute()
        key_path = certificate_path if key is None else (self.folder / key).absolute()
        chain = read("client_cert", certificate_path)
        secret = chain if key is None else read("client_key", key_path)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=chain.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):  # ValueError if there is nothing at all
            message = f"Cannot use client certificate '{certificate_path}': it holds no certificate that can be read"
            fix = "give a file with the certificate as PEM, followed by those in between"
            raise Unusable("client_cert", message, fix) from None
        try_out(chain, secret, key_path, "client_cert" if key is None else "client_key")
        return ClientCertificate(str(certificate_path), str(key_path), sha256(chain + b"\0" + secret).hexdigest())


def read(setting: str, path: Path) -> bytes:
    """Return the content of a file. Raises Unusable."""
    try:
        return read_file(path, MAX_PEM_BYTES)
    except (OSError, ValueError) as exc:
        what = "client certificate" if setting == "client_cert" else "client key"
        fix = "give the path of a readable file as PEM, relative to the config file"
        raise Unusable(setting, f"Cannot read {what} '{path}': {reason(exc)}", fix) from None


def try_out(chain: bytes, secret: bytes, key_path: Path, setting: str) -> None:
    """Let OpenSSL load exactly what was read. Raises Unusable, on account of the key: the certificate is known good."""
    asked: list[bool] = []

    def passphrase() -> bytes:
        asked.append(True)
        return b""

    with in_memory(chain) as chain_file, in_memory(secret) as key_file:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_cert_chain(chain_file, key_file, password=passphrase)
        except (ssl.SSLError, ValueError) as exc:
            message, fix = key_fault(exc, key_path, is_encrypted=bool(asked))
            raise Unusable(setting, message, fix) from None


def key_fault(error: ssl.SSLError | ValueError, path: Path, *, is_encrypted: bool) -> tuple[str, str]:
    """Say what is wrong with a key, and what to do about it."""
    if is_encrypted:
        fix = "give a file without a passphrase (openssl pkey -in FILE -out NEW), readable for the gateway alone"
        return f"Cannot use client key '{path}': it is protected by a passphrase", fix
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        fix = "give the key that the certificate was made for; in client_cert its own certificate has to be the first"
        return f"Client key '{path}' does not fit the certificate", fix
    if getattr(error, "reason", None) in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return "The client certificate is too weak for OpenSSL", "make one with a longer key, or signed with SHA-256"
    fix = "give the path of a file with the private key as PEM"
    return f"Cannot use client key '{path}': it holds no private key that can be read", fix


@contextmanager
def in_memory(content: bytes) -> Iterator[str]:
    """Give the path of a file that only this process sees: OpenSSL loads keys from files alone."""
    number = os.memfd_create("pem")
    try:
        with os.fdopen(os.dup(number), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def unusable_client_certificates(validated: Validated, certificates: ClientCertificates) -> Iterator[Draft]:
    """Report certificates that cannot be shown to backends."""
    for path, router in validated.routers():
        for index, backend in enumerate(router.backends or ()):
            if backend.tls is None:
                continue
            try:
                pair_of(backend.tls, certificates)
            except Unusable as exc:
                place = (*path, "backends", index, "tls", exc.setting)
                yield Draft("error", place, in_router(place, str(exc)), exc.fix)


def pair_of(tls: BackendTls, certificates: ClientCertificates) -> ClientCertificate | None:
    """Return the certificate that a backend is shown; None if it is shown none. Raises Unusable."""
    if tls.client_cert is not None:
        return certificates.of(tls.client_cert, tls.client_key)
    if tls.client_key is not None:
        message = "A client key without a client certificate is of no use"
        raise Unusable("client_key", message, 'name the certificate in "client_cert", or remove "client_key"')
    return None
