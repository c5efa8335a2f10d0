"""The supervisor keeps certificates as their files say: what is whole is used, what is not is told once."""

import logging
import shutil
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from kairos.config.listening import Certificate, Listener, ListenerTls
from kairos.proxy.identities import TlsRules
from kairos.workers.certificates import INTERVAL_SECONDS, Certificates
from kairos.workers.errors import StartError
from tests import certificates


class Operator:
    """Changes files, and looks at what the workers are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 0.0
        self.told: list[tuple[int, TlsRules]] = []
        self.put("one", "one")
        self.put("two", "two")
        self.plain = Listener(port=80)
        self.listeners = [self.plain, self.listener("one"), self.listener("two", port=444)]
        self.subject = Certificates(self.listeners, lambda number, rules: self.told.append((number, decode(rules))))

    def listener(self, name: str, port: int = 443) -> Listener:
        certificate = Certificate(str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key"))
        return Listener("127.0.0.1", port, tls=ListenerTls((certificate,)))

    def put(self, name: str, content: str) -> None:
        """Write the pair of a host into files."""
        certificates.write(self.folder, "draft", hosts=(content,))
        for suffix in ("pem", "key"):
            (self.folder / f"draft.{suffix}").replace(self.folder / f"{name}.{suffix}")

    def look(self) -> list[tuple[int, tuple[str, ...]]]:
        """Let time pass, and return which listeners have which names by now."""
        self.now += INTERVAL_SECONDS
        self.subject.tick(self.now)
        told, self.told = self.told, []
        return [(number, rules.pairs[0].hosts) for number, rules in told]


def decode(rules: bytes) -> TlsRules:
    return TlsRules.decode(rules)


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_what_is_there_at_the_start_is_in_every_process_that_is_forked(operator: Operator) -> None:
    ready = [identities.is_ready for identities in operator.subject.identities.values()]
    assert ready == [False, True, True]
    assert operator.look() == operator.look() == []


def test_without_tls_there_is_nothing_to_look_at() -> None:
    assert Certificates([Listener()], lambda *_: None).deadline == inf


def test_a_change_is_told_once_with_the_listener_that_it_is_for(operator: Operator) -> None:
    before = operator.subject.identities[operator.listeners[2]].of(None)
    operator.put("two", "new.test")
    assert operator.look() == [(2, ("new.test",))]
    assert operator.look() == []
    assert operator.subject.identities[operator.listeners[2]].of(None) is not before


def test_it_looks_no_more_often_than_it_says(operator: Operator) -> None:
    operator.look()
    operator.put("two", "new.test")
    operator.subject.tick(operator.now + INTERVAL_SECONDS / 2)
    assert operator.told == []


def test_the_same_content_in_another_file_is_no_change(operator: Operator) -> None:
    operator.put("two", "two")
    assert operator.look() == []


def test_a_link_that_leads_elsewhere_is_a_change(operator: Operator) -> None:
    operator.put("three", "three.test")
    for suffix in ("pem", "key"):
        (operator.folder / f"two.{suffix}").unlink()
        (operator.folder / f"two.{suffix}").symlink_to(operator.folder / f"three.{suffix}")
    assert operator.look() == [(2, ("three.test",))]


def test_a_copy_that_is_half_done_is_not_told(operator: Operator, caplog: pytest.LogCaptureFixture) -> None:
    operator.put("three", "three.test")
    shutil.copy(operator.folder / "three.pem", operator.folder / "two.pem")
    assert operator.look() == []
    shutil.copy(operator.folder / "three.key", operator.folder / "two.key")
    assert operator.look() == [(2, ("three.test",))]
    assert errors(caplog) == []


def test_what_stays_broken_is_told_once_and_again_when_it_is_broken_otherwise(
    operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(operator.folder / "one.key", operator.folder / "two.key")
    for _ in range(5):
        assert operator.look() == []
    (told,) = errors(caplog)
    assert told.startswith("127.0.0.1:444: key_file: Cannot use")
    assert "it is not the key of the certificate" in told
    (operator.folder / "two.pem").unlink()
    for _ in range(5):
        assert operator.look() == []
    assert [line.split(": ")[1] for line in errors(caplog)] == ["key_file", "cert_file"]
    operator.put("two", "well.test")
    assert operator.look() == [(2, ("well.test",))]


def test_a_listener_that_is_broken_does_not_hold_up_another(operator: Operator) -> None:
    (operator.folder / "one.key").write_text("nonsense")
    operator.put("two", "new.test")
    assert operator.look() == [(2, ("new.test",))]


def test_a_certificate_that_ends_soon_is_told_when_it_comes(
    operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = certificates.pair("short.test", days=3)
    (operator.folder / "two.pem").write_bytes(certificate)
    (operator.folder / "two.key").write_bytes(key)
    assert operator.look() == [(2, ("short.test",))]
    assert any("expires in 2 days" in record.getMessage() for record in caplog.records)


def test_a_new_config_brings_other_files(operator: Operator, caplog: pytest.LogCaptureFixture) -> None:
    news = [operator.plain, operator.listener("two"), operator.listener("two", port=444)]
    operator.subject.follow(news)
    assert [(number, rules.pairs[0].hosts) for number, rules in operator.told] == [(1, ("two",))]
    operator.told.clear()
    operator.subject.follow([operator.plain, operator.listener("nowhere"), operator.listener("two", port=444)])
    assert operator.told == []
    assert "TLS goes on there as before" in errors(caplog)[0]
    assert list(operator.subject.identities)[1].tls == operator.listener("nowhere").tls


def test_tls_can_be_switched_off_and_on(operator: Operator) -> None:
    plain = [replace(listener, tls=None) for listener in operator.listeners]
    operator.subject.follow(plain)
    assert operator.subject.deadline == inf
    operator.subject.follow(operator.listeners)
    assert [number for number, _ in operator.told] == [1, 2]
    assert operator.subject.deadline < inf


def test_a_file_that_is_missing_at_the_start_is_an_error(operator: Operator) -> None:
    with pytest.raises(StartError, match=r"cannot speak TLS on 127.0.0.1:443: Cannot read '.*nowhere.pem'"):
        Certificates([operator.listener("nowhere")], lambda *_: None)
