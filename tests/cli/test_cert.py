"""`kairos cert self-signed`: files for tests and demos."""

import ssl
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kairos.cli.cert import cert
from kairos.config.listening import Certificate
from kairos.config.server_certificates import read_pair


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(cert, ["self-signed", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def names(folder: Path) -> tuple[str, ...]:
    return read_pair(Certificate(str(folder / "cert.pem"), str(folder / "key.pem"))).pair.hosts


def test_it_is_for_this_machine_unless_names_are_given(tmp_path: Path) -> None:
    assert run("--out", tmp_path).exit_code == 0
    assert names(tmp_path) == ("localhost", "127.0.0.1", "::1")


def test_it_is_for_the_names_that_are_given(tmp_path: Path) -> None:
    hosts = ("A.example", "*.b.example", "bücher.example", "2001:db8::1")
    result = run("--out", tmp_path / "new", *(word for host in hosts for word in ("--host", host)))
    assert result.output.splitlines() == [str(tmp_path / "new" / "cert.pem"), str(tmp_path / "new" / "key.pem")]
    assert names(tmp_path / "new") == ("a.example", "*.b.example", "xn--bcher-kva.example", "2001:db8::1")


def test_the_key_is_for_its_owner_only_and_clients_can_trust_the_certificate(tmp_path: Path) -> None:
    run("--out", tmp_path)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    assert len(context.get_ca_certs()) == 1


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    run("--out", tmp_path)
    before = (tmp_path / "key.pem").read_bytes()
    result = run("--out", tmp_path)
    assert result.exit_code == 1
    assert "would be replaced" in result.output
    assert (tmp_path / "key.pem").read_bytes() == before
    assert run("--out", tmp_path, "--force").exit_code == 0
    assert (tmp_path / "key.pem").read_bytes() != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cert.pem", "key.pem"]


@pytest.mark.parametrize("arguments", [["--host", "a b"], ["--days", "0"], ["--host", "https://a"]])
def test_what_cannot_be_is_a_wrong_option(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--out", tmp_path / "file" / "below")
    assert result.exit_code == 1
    assert "cannot write into" in result.output
