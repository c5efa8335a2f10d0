"""Where the gateway listens: each listener has one place, and what it cannot do is an error."""

from dataclasses import replace
from typing import Any

import pytest

from kairos.config.document import Document
from kairos.config.listening import Certificate, Listener, ListenerTls, moved, renewed
from kairos.config.normalise import Overrides
from tests.config.configs import STRICT, config
from tests.config.operators import Operator

PAIR = {"cert_file": "one.pem", "key_file": "one.key"}


def listening(*listeners: dict[str, Any], **server: Any) -> dict[str, Any]:
    return config(server={"listeners": list(listeners), **server})


def test_every_listener_of_the_file_is_in_the_document(operator: Operator) -> None:
    folder = str(operator.folder)
    settings = operator.document(STRICT).settings
    tls = ListenerTls(
        (Certificate(f"{folder}/a.pem", f"{folder}/a.key", ("*.example", "b.test")),),
        client_ca=f"{folder}/ca.pem",
        client_auth="required",
        ciphers=("ECDHE-ECDSA-AES128-GCM-SHA256",),
    )
    classic = ListenerTls((Certificate(f"{folder}/one.pem", f"{folder}/one.key"),))

    assert settings.listeners == (
        Listener("127.0.0.1", 5900, tls=classic),
        Listener("::1", 8443, tls=tls, proxy_protocol=True),
        Listener(port=8080, redirect=5900),
        Listener(unix=f"{folder}/kairos.sock", mode=0o600),
        Listener(systemd="kairos.socket", redirect=443),
    )
    assert Document.decode(operator.document(STRICT).encode()).settings == settings


@pytest.mark.parametrize("key", ["host", "port", "tls"])
def test_the_classic_listener_is_the_first_if_any_of_it_is_written(operator: Operator, key: str) -> None:
    value = {"host": "127.0.0.1", "port": 5000, "tls": PAIR}[key]
    listeners = operator.document(listening({"port": 8080}, **{key: value})).settings.listeners
    assert len(listeners) == 2
    assert listeners[1] == Listener(port=8080)


def test_listeners_stand_alone_if_nothing_of_the_classic_one_is_written(operator: Operator) -> None:
    assert operator.document(listening({"port": 8080})).settings.listeners == (Listener(port=8080),)
    assert operator.document(listening()).settings.listeners == (Listener(),)


def test_the_command_line_moves_the_first_listener_and_nothing_else() -> None:
    tls = ListenerTls(())
    first, second = Listener(unix="/run/a", tls=tls, proxy_protocol=True), Listener(port=1)

    assert moved((first, second), "::1", None) == (replace(first, unix=None, host="::1"), second)
    assert moved((second, first), None, 0) == (Listener(port=0), first)
    assert moved((first, second), None, None) == (first, second)


def test_the_command_line_is_asked_when_a_config_is_read(operator: Operator) -> None:
    given = listening({"port": 8080}, {"port": 8081})
    assert operator.document(given, overrides=Overrides("::1", 0)).settings.listeners == (
        Listener("::1", 0),
        Listener(port=8081),
    )


def test_true_redirects_to_the_first_port_with_tls(operator: Operator) -> None:
    plain = {"port": 80, "redirect_to_https": True}
    secure = {"port": 8443, "tls": {"certificates": [PAIR]}}

    assert operator.document(listening(plain, secure)).settings.listeners[0].redirect == 8443
    assert operator.document(listening(plain)).settings.listeners[0].redirect == 443
    assert operator.document(listening(plain, {**secure, "port": 0})).settings.listeners[0].redirect == 443
    assert operator.document(listening({**plain, "redirect_to_https": False})).settings.listeners[0].redirect is None


@pytest.mark.parametrize(
    ("tls", "auth"),
    [
        ({}, "none"),
        ({"client_ca": "ca.pem"}, "required"),
        ({"client_ca": "ca.pem", "client_auth": "optional"}, "optional"),
    ],
)
def test_who_names_authorities_asks_for_certificates(operator: Operator, tls: dict[str, Any], auth: str) -> None:
    (listener,) = operator.document(config(server={"tls": {**PAIR, **tls}})).settings.listeners
    assert listener.tls is not None
    assert listener.tls.client_auth == auth


@pytest.mark.parametrize(
    ("server", "pointer", "complaint"),
    [
        ({"listeners": [{}]}, "/server/listeners/0", "needs a place"),
        ({"listeners": [{"host": "::1"}]}, "/server/listeners/0", "needs a place"),
        ({"listeners": [{"port": 1, "unix": "a"}]}, "/server/listeners/0", 'one place, not "port" and "unix"'),
        ({"listeners": [{"systemd": "a", "unix": "a"}]}, "/server/listeners/0", 'not "unix" and "systemd"'),
        ({"listeners": [{"port": 1}, {"port": 1}]}, "/server/listeners/1", "at the same place"),
        ({"port": 1, "listeners": [{"port": 1}]}, "/server/listeners/0", "at the same place"),
        ({"listeners": [{"port": 1}, {"port": 1, "host": "127.0.0.1"}]}, "/server/listeners/1", "all of IPv4"),
        ({"listeners": [{"port": 1}, {"port": 1, "host": "::"}]}, "/server/listeners/1", "all addresses"),
        ({"listeners": [{"systemd": "a"}, {"systemd": "a"}]}, "/server/listeners/1", "at the same place"),
        ({"listeners": [{"unix": "a"}, {"unix": "a"}]}, "/server/listeners/1", "at the same place"),
        (
            {"listeners": [{"port": 1, "tls": PAIR, "redirect_to_https": True}]},
            "/server/listeners/0/redirect_to_https",
            "use it already",
        ),
        (
            {"listeners": [{"port": 1, "proxy_protocol": True}]},
            "/server/listeners/0/proxy_protocol",
            "trusted proxies only",
        ),
        (
            {"listeners": [{"port": 1, "proxy_protocol": True}], "trusted_proxies": ["unix:"]},
            "/server/listeners/0/proxy_protocol",
            "none for this listener",
        ),
        (
            {"listeners": [{"unix": "a", "proxy_protocol": True}], "trusted_proxies": ["10.0.0.0/8"]},
            "/server/listeners/0/proxy_protocol",
            "none for this listener",
        ),
        (
            {"listeners": [{"systemd": "a", "proxy_protocol": True}]},
            "/server/listeners/0/proxy_protocol",
            "none for this listener",
        ),
        ({"listeners": [{"port": 1, "redirect_to_https": 0}]}, "/server/listeners/0/redirect_to_https", "or a port"),
        ({"listeners": [{"unix": "a" * 108}]}, "/server/listeners/0/unix", "at most 107 bytes"),
        ({"listeners": [{"unix": "a", "mode": "0999"}]}, "/server/listeners/0/mode", "Not the permissions"),
        ({"listeners": [{"unix": "a", "mode": "660\n"}]}, "/server/listeners/0/mode", "Not the permissions"),
        ({"listeners": [{"systemd": "a:b"}]}, "/server/listeners/0/systemd", "Not the name of a socket"),
        ({"listeners": [{"port": 1, "host": "http://a"}]}, "/server/listeners/0/host", "Not an address"),
        ({"trusted_proxies": ["unix"]}, "/server/trusted_proxies/0", "Not an address or network"),
        ({"tls": {}}, "/server/tls", "needs a certificate"),
        ({"tls": {"key_file": "a"}}, "/server/tls/key_file", '"key_file" needs "cert_file"'),
        ({"tls": {"cert_file": "a", "certificates": [PAIR]}}, "/server/tls/cert_file", 'needs "key_file"'),
        ({"tls": {"certificates": [{"cert_file": "a"}]}}, "/server/tls/certificates/0/key_file", "missing field"),
        ({"tls": {**PAIR, "client_auth": "optional"}}, "/server/tls/client_auth", "cannot be checked"),
        ({"tls": {**PAIR, "min_version": "1.1"}}, "/server/tls/min_version", "expected"),
        ({"tls": {**PAIR, "ciphers": ["!aNULL"]}}, "/server/tls/ciphers/0", "Not the name of a cipher"),
        ({"tls": {**PAIR, "ocsp": True}}, "/server/tls/ocsp", "OCSP stapling cannot be done"),
        ({"tls": {**PAIR, "ocsp_stapling": "on"}}, "/server/tls/ocsp_stapling", "OCSP stapling cannot be done"),
        (
            {"tls": {"certificates": [{**PAIR, "hosts": ["a.example:443"]}]}},
            "/server/tls/certificates/0/hosts/0",
            "Invalid host",
        ),
    ],
)
def test_what_cannot_be_is_an_error(operator: Operator, server: dict[str, Any], pointer: str, complaint: str) -> None:
    findings = [one for one in operator.findings(config(server=server)) if one.level == "error"]
    assert [one.pointer for one in findings] == [pointer]
    assert complaint in findings[0].message
    assert findings[0].fix


@pytest.mark.parametrize(
    ("server", "pointer"),
    [
        ({"listeners": [{"unix": "a", "host": "::1"}]}, "/server/listeners/0/host"),
        ({"listeners": [{"port": 1, "mode": "0600"}]}, "/server/listeners/0/mode"),
        ({"tls": {**PAIR, "client_ca": "ca.pem", "client_auth": "none"}}, "/server/tls/client_ca"),
        ({"tls": {**PAIR, "min_version": "1.3", "ciphers": ["A-B"]}}, "/server/tls/ciphers"),
    ],
)
def test_what_has_no_effect_is_a_warning(operator: Operator, server: dict[str, Any], pointer: str) -> None:
    warnings = operator.warnings(config(server=server))
    assert any(place == pointer and "no effect" in message for place, message in warnings)
    assert operator.errors(config(server=server)) == []


def test_any_number_of_listeners_may_leave_the_port_to_the_system(operator: Operator) -> None:
    assert operator.findings(listening({"port": 0}, {"port": 0})) == ()


def test_listeners_at_other_addresses_of_the_same_port_are_fine(operator: Operator) -> None:
    hosts = ("127.0.0.1", "127.0.0.2", "::1")
    assert operator.findings(listening(*({"port": 1, "host": host} for host in hosts))) == ()
    assert operator.findings(listening({"port": 1}, {"port": 1, "host": "::1"})) == ()


@pytest.mark.parametrize("peer", ["unix:", "10.0.0.0/8"])
def test_what_kind_of_socket_systemd_opens_is_not_known(operator: Operator, peer: str) -> None:
    given = listening({"systemd": "a", "proxy_protocol": True}, trusted_proxies=[peer])
    assert operator.findings(given) == ()


def test_a_wrong_value_is_not_reported_twice(operator: Operator) -> None:
    assert [place for place, _ in operator.errors(listening({"port": "x"}, {"unix": 7}, 5))] == [
        "/server/listeners/0/port",
        "/server/listeners/1/unix",
        "/server/listeners/2",
    ]


def test_a_listener_that_runs_is_renewed_by_the_one_at_its_place() -> None:
    first, second, third = Listener(port=0), Listener(port=0), Listener(unix="/run/a")
    news = [
        replace(third, proxy_protocol=True),
        Listener(port=1),
        replace(first, redirect=1),
        replace(first, redirect=2),
    ]

    assert renewed([first, second, third], news) == [news[2], news[3], news[0]]
    assert renewed([first, third], [second]) == [second, third]
