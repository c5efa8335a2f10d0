"""Client certificates for backends: what can be used, and what the operator is told of the rest."""

import subprocess
from pathlib import Path

import pytest

from kairos.config.client_certificates import ClientCertificates, Unusable
from kairos.config.findings import Finding
from tests import pki
from tests.config.configs import backend, config, router
from tests.config.operators import Operator


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> pki.Certificate:
    return pki.authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def ours(ca: pki.Certificate) -> pki.Certificate:
    return ca.issue("gateway", usage="client")


def given(**tls: object) -> dict[str, object]:
    """Return a config with a backend that has these TLS settings."""
    return config(router(backends=[backend(tls=tls)]))


def error(operator: Operator, **tls: object) -> Finding:
    """Return the only error of a config."""
    (found,) = [finding for finding in operator.findings(given(**tls)) if finding.level == "error"]
    return found


def test_the_files_lie_beside_the_config(operator: Operator, ours: pki.Certificate) -> None:
    (operator.folder / "we.pem").write_bytes(ours.cert.read_bytes())
    (operator.folder / "we.key").write_bytes(ours.key.read_bytes())

    (route,) = operator.document(given(client_cert="we.pem", client_key="we.key", min_version="1.3")).routes

    tls = route.backends[0].tls
    assert tls is not None
    assert (tls.client_cert, tls.client_key) == (str(operator.folder / "we.pem"), str(operator.folder / "we.key"))
    assert (len(tls.client_digest), tls.min_version) == (64, "1.3")


def test_the_key_may_be_in_the_same_file(operator: Operator, ours: pki.Certificate) -> None:
    both = operator.folder / "both.pem"
    both.write_bytes(ours.cert.read_bytes() + ours.key.read_bytes())

    (route,) = operator.document(given(client_cert="both.pem")).routes

    tls = route.backends[0].tls
    assert tls is not None
    assert (tls.client_cert, tls.client_key) == (str(both), str(both))


def test_a_new_key_makes_another_identity(tmp_path: Path, ca: pki.Certificate) -> None:
    before = ClientCertificates(tmp_path).of(str(ca.issue("one").cert), str(ca.folder / "one.key"))
    after = ClientCertificates(tmp_path).of(str(ca.issue("one").cert), str(ca.folder / "one.key"))

    assert (before.certificate, before.key) == (after.certificate, after.key)
    assert before.digest != after.digest


def test_a_file_that_is_not_there(operator: Operator, ours: pki.Certificate) -> None:
    found = error(operator, client_cert="none.pem", client_key=str(ours.key))
    assert found.pointer == "/routers/0/backends/0/tls/client_cert"
    assert found.message.endswith(
        f"Cannot read client certificate '{operator.folder}/none.pem': No such file or directory"
    )
    assert found.fix == "give the path of a readable file as PEM, relative to the config file"

    found = error(operator, client_cert=str(ours.cert), client_key="none.key")
    assert found.pointer == "/routers/0/backends/0/tls/client_key"
    assert found.message.endswith(f"Cannot read client key '{operator.folder}/none.key': No such file or directory")


def test_a_file_that_holds_no_certificate(operator: Operator, ours: pki.Certificate) -> None:
    found = error(operator, client_cert=str(ours.key), client_key=str(ours.key))
    assert found.pointer == "/routers/0/backends/0/tls/client_cert"
    assert found.message.endswith("it holds no certificate that can be read")


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_holds_no_key(operator: Operator, ours: pki.Certificate, content: bytes) -> None:
    (operator.folder / "bad.key").write_bytes(content)
    found = error(operator, client_cert=str(ours.cert), client_key="bad.key")
    assert found.pointer == "/routers/0/backends/0/tls/client_key"
    assert found.message.endswith("it holds no private key that can be read")
    assert error(operator, client_cert=str(ours.cert)).message.endswith("it holds no private key that can be read")


def test_a_key_that_does_not_fit(operator: Operator, ca: pki.Certificate, ours: pki.Certificate) -> None:
    found = error(operator, client_cert=str(ours.cert), client_key=str(ca.key))
    assert found.pointer == "/routers/0/backends/0/tls/client_key"
    assert found.message.endswith(f"Client key '{ca.key}' does not fit the certificate")
    assert "its own certificate has to be the first" in found.fix


@pytest.mark.tool("openssl")
def test_a_key_with_a_passphrase_is_not_asked_for(operator: Operator, ours: pki.Certificate) -> None:
    protected = operator.folder / "protected.key"
    command = ["openssl", "pkey", "-in", str(ours.key), "-aes256", "-passout", "pass:x", "-out", str(protected)]
    subprocess.run(command, check=True)

    found = error(operator, client_cert=str(ours.cert), client_key="protected.key")

    assert found.message.endswith(f"Cannot use client key '{protected}': it is protected by a passphrase")
    assert "without a passphrase" in found.fix


def test_a_key_alone_is_of_no_use(operator: Operator, ours: pki.Certificate) -> None:
    found = error(operator, client_key=str(ours.key))
    assert found.pointer == "/routers/0/backends/0/tls/client_key"
    assert found.message.endswith("A client key without a client certificate is of no use")


def test_a_pair_is_read_once(tmp_path: Path, ours: pki.Certificate) -> None:
    certificates = ClientCertificates(tmp_path)
    assert certificates.of(str(ours.cert), str(ours.key)) is certificates.of(str(ours.cert), str(ours.key))
    with pytest.raises(Unusable):
        certificates.of("none.pem", None)
    with pytest.raises(Unusable):
        certificates.of("none.pem", None)


def test_an_unknown_version_is_refused(operator: Operator) -> None:
    assert error(operator, min_version="1.1").pointer == "/routers/0/backends/0/tls/min_version"


def test_the_proxy_protocol_is_a_setting_of_a_backend(operator: Operator) -> None:
    backends = [backend(), backend(send_proxy_protocol="v1"), backend(send_proxy_protocol="v2")]
    (route,) = operator.document(config(router(backends=backends))).routes
    assert [one.send_proxy_protocol for one in route.backends] == [None, "v1", "v2"]
