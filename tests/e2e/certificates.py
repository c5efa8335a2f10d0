"""A certificate authority of our own, made by the program `openssl`."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]


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
        extensions = ["basicConstraints=critical,CA:FALSE", f"subjectAltName={name}"]
        signer = ["-CA", str(self.ca_file), "-CAkey", str(self.folder / "ca.key")]
        self._make("server", "/CN=server", extensions, signer)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context

    def _make(self, file: str, subject: str, extensions: list[str], signer: list[str]) -> None:
        files = ["-out", str(self.folder / f"{file}.pem"), "-keyout", str(self.folder / f"{file}.key")]
        added = [argument for extension in extensions for argument in ("-addext", extension)]
        config = self.folder / "openssl.cnf"  # that of the system would add extensions
        config.write_text("[req]\ndistinguished_name = name\n[name]\n", encoding="utf-8")
        command = ["openssl", "req", "-x509", "-config", str(config), *KEY, "-subj", subject, *added, *signer, *files]
        subprocess.run(command, check=True, capture_output=True)
