"""A certificate authority of our own, made by the program `openssl`."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYS = {
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}


@dataclass(frozen=True)
class Authority:
    """Sign certificates; `folder` takes the files."""

    folder: Path

    def __post_init__(self) -> None:
        extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"]
        self._make("ca", "/CN=Authority for tests", extensions, [])

    @property
    def ca_file(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.pem"

    def server(self, name: str) -> ssl.SSLContext:
        """Return what a server needs that goes by a name like `DNS:example.org` or `IP:127.0.0.1`."""
        certificate, key = self.issue("server", name)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        return context

    def issue(self, file: str, names: str, *, kind: str = "ec", subject: str = "/CN=server") -> tuple[Path, Path]:
        """Return the files of a new certificate and its key; `names` are as OpenSSL writes alternative names."""
        extensions = ["basicConstraints=critical,CA:FALSE", f"subjectAltName={names}"]
        signer = ["-CA", str(self.ca_file), "-CAkey", str(self.folder / "ca.key")]
        return self._make(file, subject, extensions, signer, kind)

    def _make(
        self, file: str, subject: str, extensions: list[str], signer: list[str], kind: str = "ec"
    ) -> tuple[Path, Path]:
        certificate, key = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        files = ["-out", str(certificate), "-keyout", str(key)]
        added = [argument for extension in extensions for argument in ("-addext", extension)]
        config = self.folder / "openssl.cnf"  # that of the system would add extensions
        config.write_text("[req]\ndistinguished_name = name\n[name]\n", encoding="utf-8")
        usual = ["openssl", "req", "-x509", "-config", str(config), *KEYS[kind], "-nodes", "-days", "30", "-utf8"]
        subprocess.run([*usual, "-subj", subject, *added, *signer, *files], check=True, capture_output=True)
        return certificate, key
