"""The names that the system knows by itself."""

import os
from pathlib import Path

import pytest

from kairos.discovery.hosts_file import HostsFile

TEXT = """\
127.0.0.1 localhost vm # not.me
::1       localhost ip6-localhost
10.0.0.7\tApp.Internal. app
10.0.0.8  app
fe80::1%eth0 link
not-an-address nobody
10.0.0.9
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("localhost", {4: ("127.0.0.1",), 6: ("::1",)}),
        ("app", {4: ("10.0.0.7", "10.0.0.8")}),
        ("app.internal", {4: ("10.0.0.7",)}),
        ("link", {6: ("fe80::1%eth0",)}),
        ("not.me", {}),
        ("nobody", {}),
    ],
)
def test_finds_every_address_of_a_name(path: Path, host: str, addresses: dict[int, tuple[str, ...]]) -> None:
    assert HostsFile(path).addresses(host) == addresses


def test_is_read_again_when_it_has_changed(path: Path) -> None:
    hosts = HostsFile(path)
    assert hosts.addresses("new") == {}

    path.write_text("10.0.0.1 new\n")
    os.utime(path, ns=(1, 1))
    assert hosts.addresses("new") == {4: ("10.0.0.1",)}

    path.unlink()
    assert hosts.addresses("new") == {}


@pytest.mark.parametrize("host", ["localhost", "app.localhost"])
def test_localhost_is_this_machine_whatever_the_file_says(tmp_path: Path, host: str) -> None:
    assert HostsFile(tmp_path / "none").addresses(host) == {4: ("127.0.0.1",), 6: ("::1",)}
