"""The certificates and keys that listeners name: a config is refused if they are of no use."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kairos.config.listening import Certificate, ListenerTls
from kairos.config.server_certificates import Unusable, check_ciphers, read_authorities, read_pair
from tests import certificates
from tests.config.configs import config
from tests.config.operators import Operator

PAIR = {"cert_file": "one.pem", "key_file": "one.key"}


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates.write(tmp_path, "one")
    certificates.write(tmp_path, "two", hosts=("B.test", "*.c.test", "192.0.2.1", "::1"))
    (tmp_path / "empty").write_text("")
    (tmp_path / "encrypted.key").write_text("")
    openssl(tmp_path, "ec", "-in", "one.key", "-out", "encrypted.key", "-aes128", "-passout", "pass:secret")
    make = ["req", "-x509", "-nodes", "-subj", "/CN=Old.test", "-days", "30", "-newkey"]
    openssl(tmp_path, *make, "rsa:1024", "-keyout", "weak.key", "-out", "weak.pem")
    return tmp_path


def read(folder: Path, certificate: str, key: str, *hosts: str) -> Any:
    return read_pair(Certificate(str(folder / certificate), str(folder / key), hosts))


def test_a_pair_is_for_its_names_unless_others_are_given(folder: Path) -> None:
    assert read(folder, "two.pem", "two.key").pair.hosts == ("b.test", "*.c.test", "192.0.2.1", "::1")
    assert read(folder, "two.pem", "two.key", "x.test").pair.hosts == ("x.test",)


@pytest.mark.parametrize(
    ("certificate", "key", "setting", "complaint"),
    [
        ("nowhere.pem", "one.key", "cert_file", "Cannot read '.*nowhere.pem': No such file"),
        ("one.pem", "nowhere.key", "key_file", "Cannot read '.*nowhere.key': No such file"),
        ("empty", "one.key", "cert_file", "no certificate as PEM"),
        ("one.key", "one.key", "cert_file", "no certificate as PEM"),
        ("one.pem", "one.pem", "key_file", "no private key as PEM"),
        ("one.pem", "empty", "key_file", "no private key as PEM"),
        ("one.pem", "two.key", "key_file", "not the key of the certificate '.*one.pem'"),
        ("one.pem", "encrypted.key", "key_file", "encrypted"),
        ("weak.pem", "weak.key", "cert_file", "key too small"),
        (".", "one.key", "cert_file", "Cannot read"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(
    folder: Path, certificate: str, key: str, setting: str, complaint: str
) -> None:
    with pytest.raises(Unusable, match=complaint) as caught:
        read(folder, certificate, key)
    assert caught.value.setting == setting


def test_a_certificate_warns_before_it_ends(folder: Path) -> None:
    found = read(folder, "one.pem", "one.key")
    now = datetime.now(UTC)
    assert found.age_warning(now) is None
    assert "expires in 9 days" in found.age_warning(now + timedelta(days=20, minutes=1))
    assert "has expired" in found.age_warning(now + timedelta(days=31))


def test_authorities_are_read_only_where_clients_are_asked(folder: Path) -> None:
    def asking(file: str, auth: str) -> ListenerTls:
        return ListenerTls((), client_ca=str(folder / file), client_auth=auth)

    assert read_authorities(asking("one.pem", "required")) == (folder / "one.pem").read_bytes()
    assert read_authorities(asking("nowhere", "none")) == b""
    for file, complaint in (("nowhere", "Cannot read"), ("empty", "no certificates that can be read")):
        with pytest.raises(Unusable, match=complaint):
            read_authorities(asking(file, "optional"))


def test_ciphers_are_those_that_openssl_knows() -> None:
    check_ciphers(ListenerTls((), ciphers=("ECDHE-RSA-AES128-GCM-SHA256",)))
    with pytest.raises(Unusable, match="'NO-SUCH-THING'"):
        check_ciphers(ListenerTls((), ciphers=("ECDHE-RSA-AES128-GCM-SHA256", "NO-SUCH-THING")))


@pytest.mark.parametrize(
    ("tls", "pointer"),
    [
        ({**PAIR, "cert_file": "nowhere"}, "/server/tls/cert_file"),
        ({**PAIR, "certificates": [PAIR, {**PAIR, "key_file": "nowhere"}]}, "/server/tls/certificates/1/key_file"),
        ({"certificates": [{**PAIR, "key_file": "nowhere"}]}, "/server/tls/certificates/0/key_file"),
        ({**PAIR, "client_ca": "nowhere"}, "/server/tls/client_ca"),
        ({**PAIR, "ciphers": ["NO-SUCH-THING"]}, "/server/tls/ciphers"),
    ],
)
def test_a_config_is_refused_at_the_setting_that_names_the_file(
    operator: Operator, tls: dict[str, Any], pointer: str
) -> None:
    for server, prefix in (({"tls": tls}, ""), ({"listeners": [{"port": 1, "tls": tls}]}, "/listeners/0")):
        (found,) = [one for one in operator.findings(config(server=server)) if one.level == "error"]
        assert found.pointer == pointer.replace("/server", f"/server{prefix}")
        assert found.fix


def test_a_config_warns_of_a_certificate_that_ends_soon(operator: Operator) -> None:
    certificate, key = certificates.pair("short.test", days=2)
    (operator.folder / "one.pem").write_bytes(certificate)
    (operator.folder / "one.key").write_bytes(key)
    ((place, message),) = operator.warnings(config(server={"tls": PAIR}))
    assert place == "/server/tls/cert_file"
    assert "expires in 1 day:" in message
