"""Files with certificate authorities: what can be used, and what the operator is told of the rest."""

import os
from pathlib import Path

import pytest

from kairos.config.authorities import MAX_CA_BYTES, Authorities
from kairos.config.findings import Finding
from tests.config.configs import AUTHORITY, backend, config, router
from tests.config.operators import Operator


def errors(operator: Operator, ca_file: str) -> list[Finding]:
    given = config(router(backends=[backend(), backend(tls={"ca_file": ca_file})]))
    return [finding for finding in operator.findings(given) if finding.level == "error"]


def test_a_file_beside_the_config_is_found_by_its_name(operator: Operator) -> None:
    (operator.folder / "ca.pem").write_bytes(AUTHORITY.read_bytes())
    assert errors(operator, "ca.pem") == []
    assert errors(operator, str(AUTHORITY)) == []


def test_a_file_that_is_not_there_is_told_with_its_place_and_the_fix(operator: Operator) -> None:
    (finding,) = errors(operator, "nowhere.pem")

    assert finding.pointer == "/routers/0/backends/1/tls/ca_file"
    assert finding.value == '"nowhere.pem"'
    path = operator.folder / "nowhere.pem"
    assert finding.message.endswith(f"Cannot read CA file '{path}': No such file or directory")
    assert finding.fix == "give the path of a readable file with certificates as PEM, relative to the config file"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no certificate",
        AUTHORITY.read_bytes().replace(b"CERTIFICATE", b"PRIVATE KEY"),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        AUTHORITY.read_bytes()[:-40],
    ],
)
def test_a_file_without_usable_certificates_is_refused(operator: Operator, content: bytes) -> None:
    (operator.folder / "ca.pem").write_bytes(content)
    (finding,) = errors(operator, "ca.pem")
    assert finding.message.endswith("ca.pem': it holds no certificates that can be read")


def test_what_is_no_file_is_not_waited_for(operator: Operator) -> None:
    os.mkfifo(operator.folder / "pipe")

    for name, reason in (("pipe", "not a regular file"), (".", "not a regular file"), ("a\0b", "null")):
        (finding,) = errors(operator, name)
        assert reason in finding.message or "directory" in finding.message


def test_a_file_is_not_read_without_end(tmp_path: Path) -> None:
    with (tmp_path / "ca.pem").open("wb") as file:
        file.truncate(MAX_CA_BYTES + 1)
    with pytest.raises(ValueError, match=f"larger than {MAX_CA_BYTES} bytes"):
        Authorities(tmp_path).of("ca.pem")


def test_a_file_is_read_once_and_a_change_shows_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(AUTHORITY.read_bytes())
    authorities = Authorities(tmp_path)
    before = authorities.of("ca.pem")

    path.write_bytes(AUTHORITY.read_bytes() * 2)

    assert authorities.of("ca.pem") is before
    assert Authorities(tmp_path).of("ca.pem").digest != before.digest


def test_a_broken_router_says_nothing_about_its_files(operator: Operator) -> None:
    given = config(router(backends=[{"host": 7, "port": 1, "tls": {"ca_file": "nowhere.pem"}}]))
    found = operator.errors(given)
    assert "/routers/0/backends/0/host" in {pointer for pointer, _ in found}
