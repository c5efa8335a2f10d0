"""What the workers get."""

import hmac
import sys
from dataclasses import fields
from hashlib import sha256
from typing import Any, get_args

import pytest

from kairos.config.document import (
    Backend,
    Discovery,
    Document,
    HashOn,
    Limits,
    RateLimit,
    Route,
    Settings,
    Sticky,
    Timeouts,
    Tls,
    encode_lines,
)
from kairos.config.listening import Listener
from kairos.config.model.balancing import Strategy
from kairos.config.normalise import Overrides
from kairos.config.policies import WebSocket
from tests.config.configs import AUTHORITY, SECRET, STRICT, backend, config, router
from tests.config.operators import Operator


def test_a_config_without_settings_has_the_defaults(operator: Operator) -> None:
    assert operator.document(config()).settings == Settings()


def test_settings_come_from_the_file(operator: Operator) -> None:
    given = config(
        version=3,
        server={"host": "::1", "port": 8080, "workers": 4},
        logging={"level": "debug", "access_log": "stdout"},
    )
    assert operator.document(given).settings == Settings((Listener("::1", 8080),), 4, "debug", "stdout", "", 3)


def test_whom_the_gateway_believes_and_what_it_tells_comes_from_the_file(operator: Operator) -> None:
    trusted = ["10.0.0.0/8", "192.0.2.1", "2001:DB8:0::/32", "10.0.0.0/8"]

    settings = operator.document(
        config(server={"trusted_proxies": trusted, "via": "edge-1", "forwarded": True})
    ).settings

    assert settings.trusted_proxies == ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32")
    assert (settings.via, settings.forwarded) == ("edge-1", True)


def test_every_limit_and_timeout_comes_from_the_file(operator: Operator) -> None:
    settings = operator.document(STRICT).settings

    assert settings.limits == Limits(1024, 4096, 50, 2048, 1000, 16384, 5000)
    assert settings.timeouts == Timeouts(10.0, 30.5, 20.0, 256, 0.5, 2.0, 5.0, 8.0, 7.0, 3.0, 600.0, 500, 3.0, False)
    for given in (settings.limits, settings.timeouts):
        assert not [field.name for field in fields(given) if getattr(given, field.name) == field.default]


def test_a_route_has_its_own_limits_and_timeouts_and_else_those_of_the_gateway(operator: Operator) -> None:
    own, other = operator.document(STRICT).routes[1], operator.document(STRICT).routes[0]

    assert (other.limits, other.timeouts) == (
        Limits(1024, 4096, 50, 2048, 1000, 16384, 5000),
        Timeouts(10.0, 30.5, 20.0, 256, 0.5, 2.0, 5.0, 8.0, 7.0, 3.0, 600.0, 500, 3.0, False),
    )
    assert (own.limits, own.timeouts) == (
        Limits(2048, 2048, 20, 1024, 1000, 16384, 5000),
        Timeouts(10.0, 30.5, 21.0, 0, 1.0, 2.0, 6.0, 9.5, 0.0, 3.0, 600.0, 500, 3.0, False),
    )


def test_how_names_are_resolved_comes_from_the_file(operator: Operator) -> None:
    settings = operator.document(STRICT).settings

    assert settings.discovery == Discovery(("10.0.0.2:53", "[2001:db8::2]:5353"), 2.0, 30.5, "4")
    assert Settings.decode(encode_lines([settings])) == settings

    twice = operator.document(config(discovery={"resolver": ["10.0.0.2", "10.0.0.2:53"]})).settings
    assert twice.discovery == Discovery(("10.0.0.2:53",))


def test_how_long_a_backends_connection_may_be_idle_is_learned_unless_it_is_set(operator: Operator) -> None:
    def timeouts(**given: object) -> Timeouts:
        return operator.document(config(router(), timeouts=given)).settings.timeouts

    assert (timeouts().upstream_idle, timeouts().upstream_idle_most) == (4.0, 300.0)
    for seconds in (0, 2.5, 1000):
        found = timeouts(upstream_idle_seconds=seconds)
        assert (found.upstream_idle, found.upstream_idle_most, found.learn_keep_alive) == (seconds, seconds, True)
    assert not timeouts(learn_keep_alive=False).learn_keep_alive


def test_limits_and_timeouts_may_be_variables(operator: Operator) -> None:
    given = config(router(limits={"max_headers": "${N}"}, timeouts={"connect_seconds": "${S}"}))
    (route,) = operator.document(given, environ={"N": "5", "S": "0.25"}).routes
    assert (route.limits.fields, route.timeouts.connect) == (5, 0.25)


def test_a_null_takes_what_the_gateway_has(operator: Operator) -> None:
    route = router(limits={"max_headers": None}, timeouts={"exchange_seconds": None, "connect_seconds": 1})
    (found,) = operator.document(config(route, limits={"max_headers": 7}, timeouts={"exchange_seconds": 8})).routes

    assert found.limits == Limits(fields=7)
    assert found.timeouts == Timeouts(exchange=8.0, connect=1.0)


def test_a_body_of_any_size_can_be_allowed_or_none_at_all(operator: Operator) -> None:
    most = {"max_request_body_bytes": 2**64 - 1}
    given = config(router("/a"), router("/b", limits=most), router("/c", limits={"max_request_body_bytes": 0}))

    document = operator.document({**given, "limits": most})

    assert document.settings.limits.body_bytes == sys.maxsize
    assert [route.limits.body_bytes for route in document.routes] == [sys.maxsize, sys.maxsize, 0]


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_a_route_has_its_strategy(operator: Operator, strategy: str) -> None:
    (route,) = operator.document(config(router(load_balancing_strategy=strategy))).routes
    assert route.strategy == strategy


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, HashOn("client", factor=1.25)),
        ({"hash_on": "path", "balance_factor": 2}, HashOn("path", factor=2.0)),
        ({"hash_on": {"header": "X-User"}, "balance_factor": 0}, HashOn("header", "X-User", 0.0)),
        ({"hash_on": {"cookie": "sid"}}, HashOn("cookie", "sid", 1.25)),
    ],
)
def test_a_route_says_what_is_hashed(operator: Operator, given: dict[str, Any], expected: HashOn) -> None:
    document = operator.document(config(router(load_balancing_strategy="consistent_hash", **given)))

    assert document.routes[0].hash_on == expected
    assert Document.decode(document.encode()) == document


def test_a_route_may_be_sticky(operator: Operator) -> None:
    secret = "0123456789abcdef" * 2
    (operator.folder / "key").write_text(secret + "\n")
    block = {"cookie": "sid", "ttl_seconds": 60, "secret": {"file": "key"}}

    document = operator.document(config(router("/a", sticky={}), router("/b", sticky=block), router("/c")))
    key = hmac.digest(secret.encode(), b"kairos sticky sessions", "sha256").hex()

    assert [route.sticky for route in document.routes] == [Sticky(), Sticky("sid", 60, key), None]
    assert Document.decode(document.encode()) == document
    assert secret.encode() not in document.encode()
    assert key not in repr(document)


def test_a_route_may_keep_the_host_of_the_client(operator: Operator) -> None:
    kept, own = operator.document(config(router("/a", preserve_host=True), router("/b"))).routes
    assert (kept.preserve_host, own.preserve_host) == (True, False)


def test_a_backend_says_how_its_certificate_is_checked(operator: Operator) -> None:
    (operator.folder / "ca.pem").write_bytes(AUTHORITY.read_bytes())
    tls = {"verify": True, "ca_file": "ca.pem", "server_name": "Bücher.example"}

    (route,) = operator.document(config(router(backends=[backend(tls=tls), backend(tls={"verify": False})]))).routes

    digest = sha256(AUTHORITY.read_bytes()).hexdigest()
    assert [one.tls for one in route.backends] == [
        Tls(True, str(operator.folder / "ca.pem"), digest, "xn--bcher-kva.example"),
        Tls(verify=False),
    ]


@pytest.mark.parametrize("tls", [None, {}, {"verify": True, "ca_file": None, "server_name": None}])
def test_what_is_as_usual_makes_no_backend_of_its_own(operator: Operator, tls: Any) -> None:
    (route,) = operator.document(config(router(backends=[backend(tls=tls)]))).routes
    assert route.backends[0].tls is None


def test_the_command_line_wins_over_the_file(operator: Operator) -> None:
    given = config(server={"host": "::1", "port": 8080, "workers": 4}, logging={"level": "debug"})

    settings = operator.document(given, overrides=Overrides("127.0.0.1", 0, 0, "error")).settings
    assert (settings.listeners, settings.workers, settings.log_level) == ((Listener("127.0.0.1", 0),), 0, "error")

    settings = operator.document(given, overrides=Overrides(port=9000)).settings
    assert (settings.listeners, settings.workers, settings.log_level) == ((Listener("::1", 9000),), 4, "debug")


@pytest.mark.parametrize(
    ("builtin_routes", "prefix"),
    [(True, ""), (False, None), ("/_kairos", "/_kairos"), ("/_kairos/", "/_kairos"), ("/", "")],
)
def test_built_in_routes_can_be_moved_and_switched_off(
    operator: Operator, builtin_routes: Any, prefix: str | None
) -> None:
    assert operator.document(config(builtin_routes=builtin_routes)).settings.builtin_prefix == prefix


def test_a_route_has_everything_that_the_data_plane_needs(operator: Operator) -> None:
    given = router(
        "/api/{id}",
        internal_path="/v1/{id}",
        methods=["GET", "PUT", "GET"],
        hosts=["Example.com", "*.Bücher.example", "example.COM"],
        backends=[
            {"host": "http://A.example", "port": 80, "weight": 2},
            {"host": "https://[2001:DB8::1]", "port": 8443},
        ],
        trailing_slash="ignore",
        empty_segments="refuse",
    )
    (route,) = operator.document(config(given)).routes

    assert route == Route(
        external_path="/api/{id}",
        internal_path="/v1/{id}",
        methods=("GET", "PUT"),
        backends=(Backend("http", "a.example", 80, 2), Backend("https", "2001:db8::1", 8443)),
        hosts=("example.com", "*.xn--bcher-kva.example"),
        trailing_slash="ignore",
        empty_segments="refuse",
    )


def test_the_short_form_is_one_backend(operator: Operator) -> None:
    (route,) = operator.document(config(router(backends=None, host="http://one", port=8080))).routes
    assert route.backends == (Backend("http", "one", 8080),)


def test_bare_hosts_speak_the_protocol_of_their_route(operator: Operator) -> None:
    given = config(
        router("/ftp", protocol="ftp", backends=[{"host": "ftp.example", "port": 21}]),
        router("/dns", protocol="dns", backends=[{"host": "8.8.8.8", "port": 53}]),
    )
    assert [route.backends[0].scheme for route in operator.document(given).routes] == ["ftp", "dns"]


def test_a_document_survives_its_way_to_the_workers(operator: Operator) -> None:
    routers = [router("/ä/{id}", hosts=["example.com"]), router("/b", auth_required=True)]
    for given in (config(*routers, jwt_secret=SECRET), STRICT):
        document = operator.document(given)
        assert Document.decode(document.encode()) == document


def test_a_route_has_the_rate_limits_of_the_gateway_and_its_own(operator: Operator) -> None:
    whole = {"requests_per_window": 100, "window_type": "TokenBucket", "burst_allowance": 5}
    own = {
        "requests_per_window": 1,
        "dry_run": True,
        "strategy": {
            "Composite": [
                {"requests_per_window": 2, "strategy": "PerUser", "window_duration": 1},
                {"requests_per_window": 3, "strategy": "PerHeader", "header": "X-Key"},
                {"requests_per_window": 9, "strategy": {"Composite": [{"requests_per_window": 4}]}},
            ]
        },
    }
    one, other = operator.document(config(router("/a", rate_limit=own), router("/b"), rate_limit=whole)).routes

    gateway = RateLimit("PerIP", 100, 60, 5, "TokenBucket", is_global=True)
    assert other.rate_limits == (gateway,)
    assert one.rate_limits == (
        gateway,
        RateLimit("PerUser", 2, 1, group=1, dry_run=True),
        RateLimit("PerHeader", 3, 60, header="x-key", group=1, dry_run=True),
        RateLimit("PerIP", 4, 60, group=1, dry_run=True),
    )


def test_the_memory_of_rate_limits_comes_from_the_file(operator: Operator) -> None:
    assert operator.document(config()).settings.rate_limit_bytes == 64 << 20
    assert operator.document(config(limits={"rate_limit_memory_bytes": 1 << 20})).settings.rate_limit_bytes == 1 << 20


def test_only_routes_that_change_protocols_have_limits_for_that(operator: Operator) -> None:
    whole = {"ping_interval_seconds": 30}
    own = {"protocol": "websocket", "websocket": {"max_connections": 7}}
    kinds: list[dict[str, Any]] = [{}, {"upgrade": True}, own]
    routers = [router(f"/{number}", **more) for number, more in enumerate(kinds)]

    plain, upgrades, websocket = operator.document(config(*routers, websocket=whole)).routes

    assert plain.websocket is None
    assert upgrades.websocket == WebSocket(ping=30.0)
    assert websocket.websocket == WebSocket(connections=7)


def test_every_limit_of_a_websocket_comes_from_the_file(operator: Operator) -> None:
    (given,) = (route.websocket for route in operator.document(STRICT).routes if route.external_path == "/chat")

    assert given == WebSocket(1000, 65536, 1048576, 600.0, 86400.0, 30.0, 7.5, 60.0, 20.0)
    assert all(getattr(given, one.name) != getattr(WebSocket(), one.name) for one in fields(WebSocket))


def test_a_websocket_route_takes_get_whatever_its_methods(operator: Operator) -> None:
    (route,) = operator.document(config(router(protocol="websocket", methods=["POST"]))).routes
    assert route.methods == ("POST", "GET")
