"""Every text of the catalogue, with what calls it forth and what does not."""

from typing import Any

import pytest

from tests.config.configs import SECRET, backend, config, router
from tests.config.operators import Operator

HTTP, HTTPS = backend("http://backend.example", 80), backend()


def test_a_config_without_routers_handles_nothing(operator: Operator) -> None:
    assert operator.errors({"version": 1, "routers": []}) == [
        ("/routers", "No routers configured - gateway will not handle any requests")
    ]


@pytest.mark.parametrize(
    ("wrong", "pointer", "message"),
    [
        ({"external_path": "a"}, "/external_path", "External path must start with '/'"),
        ({"internal_path": "b"}, "/internal_path", "Internal path must start with '/'"),
        ({"methods": []}, "/methods", "At least one HTTP method must be specified"),
        ({"methods": ["GET", "get"]}, "/methods/1", "Invalid HTTP method: get"),
        ({"methods": ["BREW"]}, "/methods/0", "Invalid HTTP method: BREW"),
        ({"methods": ["MKCOL"]}, "/methods/0", "Invalid HTTP method: MKCOL"),
        ({"backends": []}, "/backends", "At least one backend must be specified"),
        ({"backends": None}, "", "Either backends or host/port must be specified"),
        ({"backends": None, "host": "https://a"}, "", "Either backends or host/port must be specified"),
        ({"backends": None, "port": 80}, "", "Either backends or host/port must be specified"),
        ({"backends": None, "host": "a", "port": 80}, "/host", "Host must start with http:// or https://"),
        ({"backends": None, "host": "ws://a", "port": 80}, "/host", "Host must start with http:// or https://"),
        ({"backends": None, "host": "https://a", "port": 0}, "/port", "Port must be between 1 and 65535"),
        ({"backends": None, "host": "https://a", "port": 65536}, "/port", "Port must be between 1 and 65535"),
        ({"retry": {"max_retries": 11}}, "/retry/max_retries",
         "max_retries should not exceed 10 to prevent excessive delays"),
        ({"retry": {"max_retries": 20}}, "/retry/max_retries",
         "max_retries should not exceed 10 to prevent excessive delays"),
        ({"retry": {"initial_backoff_ms": 9000}}, "/retry", "initial_backoff_ms cannot be greater than max_backoff_ms"),
        ({"retry": {"backoff_multiplier": 0.5}}, "/retry/backoff_multiplier", "backoff_multiplier must be >= 1.0"),
        ({"external_path": "/a?b=c"}, "/external_path", "External path must not contain '?' or '#'"),
        ({"hosts": ["a", "http://a"]}, "/hosts/1", "Invalid host: http://a"),
    ],
)  # fmt: skip
def test_a_router_is_refused_in_the_known_words(
    operator: Operator, wrong: dict[str, Any], pointer: str, message: str
) -> None:
    errors = operator.errors(config(router("/fine"), router(**wrong)))
    assert errors == [(f"/routers/1{pointer}", f"Router 1 validation failed: {message}")]


@pytest.mark.parametrize(
    ("wrong", "key", "message"),
    [
        ({"host": "a"}, "host", "Backend host must start with http://, https://, ws://, or wss://: a"),
        ({"host": "ftp://a"}, "host", "Backend host must start with http://, https://, ws://, or wss://: ftp://a"),
        (
            {"host": "http://a:80"},
            "host",
            "Backend host must start with http://, https://, ws://, or wss://: http://a:80",
        ),
        ({"port": 0}, "port", "Backend port must be between 1 and 65535"),
        ({"port": 65536}, "port", "Backend port must be between 1 and 65535"),
        ({"port": -1}, "port", "Backend port must be between 1 and 65535"),
        ({"weight": 0}, "weight", "Backend weight must be greater than 0"),
    ],
)
def test_a_backend_is_refused_in_the_known_words(
    operator: Operator, wrong: dict[str, Any], key: str, message: str
) -> None:
    assert operator.errors(config(router(backends=[HTTPS, {**HTTPS, **wrong}]))) == [
        (f"/routers/0/backends/1/{key}", f"Router 0 validation failed: Backend 1 validation failed: {message}")
    ]


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("", "JWT secret cannot be empty"),
        ("please-change-this-secret", "JWT secret must be changed from default value"),
        ("x" * 31, "JWT secret should be at least 32 characters for security"),
        ("your-super-secret-jwt-key-change-this-in-production", "JWT secret must be changed from default value"),
        ("your-secret-key-here", "JWT secret must be changed from default value"),
        ("your-256-bit-secret-key-here-and-longer", "JWT secret must be changed from default value"),
        ("CHANGEME_CHANGEME_CHANGEME_CHANGEME", "JWT secret must be changed from default value"),
        ("replace-me-0123456789abcdef0123456789", "JWT secret must be changed from default value"),
        ("super-secret-key-for-jwt-validation-minimum-32-chars", "JWT secret must be changed from default value"),
        ("a-key-of-at-least-32-characters-in-length", "JWT secret must be changed from default value"),
        ("changeme" * 5, "JWT secret must be changed from default value"),
        ("x" * 32, "JWT secret should have at least 8 different characters for security"),
        ("ä" * 16, "JWT secret should have at least 8 different characters for security"),
        ("abcdefg" * 6, "JWT secret should have at least 8 different characters for security"),
    ],
)
def test_a_secret_that_anybody_could_guess_is_refused(operator: Operator, secret: str, message: str) -> None:
    (finding,) = [found for found in operator.findings(config(jwt={"secret": secret})) if found.level == "error"]

    assert (finding.pointer, finding.message, finding.value) == ("/jwt/secret", message, "***")
    assert "openssl rand -hex 32" in finding.fix


@pytest.mark.parametrize(
    "secret", [SECRET, "äöüßéèàç" * 2, "unbekannte-und-ganz-eigene-Wortfolge", "exchange-media-of-their-estate!!"]
)
def test_a_long_secret_is_accepted(operator: Operator, secret: str) -> None:
    assert operator.errors(config(jwt={"secret": secret})) == []


def test_a_protected_route_needs_a_way_to_verify_tokens(operator: Operator) -> None:
    routers = [router(), router("/b", auth_required=True), router("/c", auth_required=True)]
    message = "JWT configuration is required when routes have auth_required=true"

    assert operator.errors(config(*routers)) == [("/routers/1/auth_required", message)]
    assert operator.errors(config(*routers, jwt={"secret": SECRET})) == []
    assert [pointer for pointer, _ in operator.errors(config(*routers, jwt={"secret": "short"}))] == ["/jwt/secret"]


@pytest.mark.parametrize(
    ("external", "internal", "key"),
    [
        ("/a/../b", "/c", "external_path"),
        ("/a", "/..", "internal_path"),
        ("/a", "/b/%2e%2E/c", "internal_path"),
        ("/a", "/b%2f..%2fc", "internal_path"),
        ("/a", "/b\\..\\c", "internal_path"),
    ],
)
def test_a_path_must_not_climb(operator: Operator, external: str, internal: str, key: str) -> None:
    errors = operator.errors(config(router(external, internal_path=internal)))
    assert errors == [(f"/routers/0/{key}", f"Path traversal detected in route: {external} -> {internal}")]


@pytest.mark.parametrize("path", ["/files/{rest...}", "/range/1..2", "/a/...", "/a?range=../.."])
def test_dots_that_do_not_climb_are_fine(operator: Operator, path: str) -> None:
    assert operator.errors(config(router("/{rest...}", internal_path=path))) == []


def test_plain_http_to_a_backend_is_named_once_per_host(operator: Operator) -> None:
    routers = [router("/a", backends=[HTTP, HTTPS]), router("/b", backends=[HTTP])]
    assert operator.warnings(config(*routers)) == [
        ("/routers/0/backends/0/host", "Insecure HTTP backend detected: http://backend.example - consider HTTPS")
    ]


@pytest.mark.parametrize("host", ["http://localhost", "http://127.0.0.1", "http://[::1]"])
def test_plain_http_to_this_machine_is_less_of_a_worry(operator: Operator, host: str) -> None:
    assert operator.warnings(config(router("/b", backends=[HTTPS]), router(backends=None, host=host, port=80))) == [
        ("/routers/1/host", f"HTTP backend to localhost detected: {host} - consider HTTPS for production")
    ]


def test_http_everywhere_is_a_warning_of_its_own(operator: Operator) -> None:
    message = "All routes use HTTP - consider HTTPS for production security"

    assert ("/routers", message) in operator.warnings(config(router(backends=[HTTP])))
    assert ("/routers", message) not in operator.warnings(config(router(backends=[HTTP, HTTPS])))
    assert ("/routers", message) not in operator.warnings(
        config(router(protocol="websocket", backends=[backend("ws://a")]))
    )


def test_many_methods_are_worth_a_thought(operator: Operator) -> None:
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]

    assert operator.warnings(config(router(methods=methods))) == [
        ("/routers/0/methods", "Route /a allows many HTTP methods (5) - consider restricting for security")
    ]
    assert operator.warnings(config(router(methods=methods[:4]))) == []


def test_many_parameters_may_cost(operator: Operator) -> None:
    routers = [router("/{a}/{b}/{c}/{d...}"), router("/{a}/{b}/{c}")]
    assert operator.warnings(config(*routers)) == [
        (
            "/routers/0/external_path",
            "Route /{a}/{b}/{c}/{d...} has many parameters (4) - may impact matching performance",
        )
    ]


@pytest.mark.parametrize(("count", "warned"), [(50, False), (51, True)])
def test_many_dynamic_routes_may_cost(operator: Operator, count: int, warned: bool) -> None:
    message = f"High number of dynamic routes ({count}) may impact performance - consider route optimization"
    given = config(*(router(f"/r{number}/{{id}}") for number in range(count)))
    assert (("/routers", message) in operator.warnings(given)) is warned


def test_static_routes_are_recommended_where_there_are_none(operator: Operator) -> None:
    message = "Consider adding static routes for frequently accessed endpoints to improve performance"

    assert operator.recommendations(config(router("/{id}"))) == [("/routers", message)]
    assert operator.recommendations(config(router("/{id}"), router("/a"))) == []


def test_a_websocket_route_is_opened_with_get(operator: Operator) -> None:
    given = config(router("/chat", protocol="websocket", methods=["POST"], backends=[backend("wss://chat.example")]))
    message = "WebSocket route /chat should allow GET method for upgrade"
    assert ("/routers/0/methods", message) in operator.warnings(given)


@pytest.mark.parametrize("host", ["ws://a", "wss://a", "http://a", "https://a"])
def test_a_websocket_route_takes_web_backends(operator: Operator, host: str) -> None:
    assert operator.errors(config(router(protocol="websocket", backends=[backend(host)]))) == []


@pytest.mark.parametrize("host", ["ftp://a", "a"])
def test_a_websocket_route_refuses_other_backends(operator: Operator, host: str) -> None:
    message = "WebSocket route /a requires backend URL with ws://, wss://, http://, or https:// protocol"
    assert operator.errors(config(router(protocol="websocket", backends=[backend(host)]))) == [
        ("/routers/0/backends/0/host", message)
    ]


def test_settings_of_upgrades_need_a_route_with_upgrades(operator: Operator) -> None:
    blind = config(router("/a", websocket={"max_connections": 1}), router("/b", protocol="websocket", upgrade=True))

    assert operator.warnings(blind) == [
        ("/routers/0/websocket", '"websocket" has no effect: no request of this route becomes a WebSocket'),
        ("/routers/1/upgrade", '"upgrade" has no effect with the protocol websocket'),
    ]
    assert operator.warnings(config(router("/a", websocket={"max_connections": 1}, upgrade=True))) == []


def ftp(host: str, port: int = 21, **more: Any) -> dict[str, Any]:
    return config(router("/ftp", protocol="ftp", backends=[backend(host, port)], **more))


@pytest.mark.parametrize(
    "host", ["ftp://files.example", "ftps://files.example", "ftp.example.com", "https://ftp.example"]
)
def test_an_ftp_route_takes_ftp_backends(operator: Operator, host: str) -> None:
    assert [message for _, message in operator.warnings(ftp(host)) if "FTP" in message] == []


@pytest.mark.parametrize("host", ["https://files.example", "files.example"])
def test_an_ftp_route_wonders_about_other_backends(operator: Operator, host: str) -> None:
    message = f"FTP route /ftp backend may require ftp:// or ftps:// protocol: {host}"
    assert ("/routers/0/backends/0/host", message) in operator.warnings(ftp(host))


def test_an_ftp_route_does_not_take_dns_backends(operator: Operator) -> None:
    message = 'Backend host "dns://a" does not fit the protocol ftp'
    assert operator.errors(ftp("dns://a")) == [
        ("/routers/0/backends/0/host", f"Router 0 validation failed: Backend 0 validation failed: {message}")
    ]


def test_an_ftp_route_has_methods_of_its_own(operator: Operator) -> None:
    assert operator.errors(ftp("ftp://a", methods=["GET", "MKCOL", "MOVE"])) == []


def test_a_wildcard_for_all_hosts_is_not_needed(operator: Operator) -> None:
    (finding,) = operator.findings(config(router(hosts=["*"])))
    assert finding.fix == "leave hosts out to match all"


def test_the_standard_port_of_ftp_is_recommended(operator: Operator) -> None:
    message = "FTP route /ftp uses non-standard port 2121 (standard is 21)"

    assert operator.recommendations(ftp("ftp://a", 2121)) == [("/routers/0/backends/0/port", message)]
    assert operator.recommendations(ftp("ftp://a", 22)) == []


def dns(host: str, port: int = 53, methods: tuple[str, ...] = ("POST",)) -> dict[str, Any]:
    return config(router("/dns", protocol="dns", methods=list(methods), backends=[backend(host, port)]))


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "dns://dns.example", "dns.example"])
def test_a_dns_route_takes_bare_addresses(operator: Operator, host: str) -> None:
    assert operator.errors(dns(host)) == []
    assert [message for _, message in operator.warnings(dns(host)) if "DNS" in message] == []


@pytest.mark.parametrize("host", ["http://8.8.8.8", "https://dns.example"])
def test_a_dns_route_refuses_web_backends(operator: Operator, host: str) -> None:
    message = f"DNS route /dns backend should not use HTTP/HTTPS protocol: {host}"
    assert operator.errors(dns(host)) == [("/routers/0/backends/0/host", message)]


def test_a_dns_route_listens_at_port_53_and_takes_post(operator: Operator) -> None:
    warnings = operator.warnings(dns("8.8.8.8", 5353, ("GET",)))

    assert ("/routers/0/backends/0/port", "DNS route /dns uses non-standard port 5353 (standard is 53)") in warnings
    assert ("/routers/0/methods", "DNS route /dns should allow POST method for query forwarding") in warnings


def test_the_short_form_of_an_ftp_route_takes_a_bare_name(operator: Operator) -> None:
    given = config(router(protocol="ftp", backends=None, host="ftp.example", port=21))
    assert operator.document(given).routes[0].backends[0].scheme == "ftp"


def test_the_short_form_beside_backends_is_not_even_looked_at(operator: Operator) -> None:
    given = config(router(host="nonsense", port=0))
    assert operator.errors(given) == []
    assert ("/routers/0/host", '"host" and "port" are ignored, because "backends" is given') in operator.warnings(given)


def test_the_same_backend_may_stand_twice(operator: Operator) -> None:
    assert len(operator.document(config(router(backends=[HTTPS, HTTPS]))).routes[0].backends) == 2


@pytest.mark.parametrize(("key", "own"), [("max_header_bytes", 4097), ("max_headers", 51), ("max_target_bytes", 2049)])
def test_a_limit_of_the_head_comes_too_late_if_the_gateway_has_a_lower_one(
    operator: Operator, key: str, own: int
) -> None:
    whole = {"max_header_bytes": 4096, "max_headers": 50, "max_target_bytes": 2048}

    (finding,) = operator.findings(config(router(limits={key: own}), limits=whole))

    assert (finding.level, finding.pointer, finding.value) == ("error", f"/routers/0/limits/{key}", str(own))
    message = f"{key} cannot be greater than that of the gateway, which is {own - 1}"
    assert finding.message == f"Router 0 validation failed: {message}"
    assert finding.fix == f'use at most {own - 1}, or write "{key}": {own} into "/limits"'
    assert operator.findings(config(router(limits={key: own - 1}), limits=whole)) == ()


def test_the_defaults_bound_the_limits_of_the_head_too(operator: Operator) -> None:
    (error,) = operator.errors(config(router(limits={"max_headers": 101})))
    assert error[1].endswith("which is 100")
    assert operator.errors(config(router(limits={"max_headers": 101}), limits={"max_headers": 0})) == [
        ("/limits/max_headers", "Invalid JSON structure: expected at least 1")
    ]


def test_an_answer_cannot_hold_for_longer_than_it_may(operator: Operator) -> None:
    message = "min_ttl cannot be greater than max_ttl, which is "
    for discovery, bound in (({"min_ttl": 30, "max_ttl": 20}, "20"), ({"min_ttl": 90}, "60")):
        assert operator.errors(config(discovery=discovery)) == [("/discovery/min_ttl", message + bound)]
    assert operator.findings(config(discovery={"min_ttl": 20, "max_ttl": 20})) == ()
    found = operator.errors(config(discovery={"min_ttl": 90, "max_ttl": "?"}))
    assert [pointer for pointer, _ in found] == ["/discovery/max_ttl"]


@pytest.mark.parametrize(
    "server",
    ["", "dns.example", "10.0.0", "10.0.0.2:", "10.0.0.2:0", "10.0.0.2:65536", "10.0.0.2:dns", "[10.0.0.2]:53",
     "[2001:db8::2", "2001:db8::2]:53", "udp://10.0.0.2"],
)  # fmt: skip
def test_a_name_server_is_an_address(operator: Operator, server: str) -> None:
    assert operator.errors(config(discovery={"resolver": ["10.0.0.1", server]})) == [
        ("/discovery/resolver/1", f"Not the address of a name server: {server}")
    ]


@pytest.mark.parametrize(
    ("server", "whole"),
    [
        ("10.0.0.2", "10.0.0.2:53"),
        ("10.0.0.2:5353", "10.0.0.2:5353"),
        ("2001:DB8::2", "[2001:db8::2]:53"),
        ("[2001:db8::2]", "[2001:db8::2]:53"),
        ("[::1]:5353", "[::1]:5353"),
    ],
)
def test_a_name_server_has_a_port(operator: Operator, server: str, whole: str) -> None:
    document = operator.document(config(discovery={"resolver": [server]}))
    assert document.settings.discovery.resolver == (whole,)


@pytest.mark.parametrize("strategy", ["round_robin", "least_connections", "random", "ip_hash"])
def test_weights_are_for_the_weighted_strategy(operator: Operator, strategy: str) -> None:
    backends = [backend("https://a"), backend("https://b", weight=2)]

    assert operator.warnings(config(router(load_balancing_strategy=strategy, backends=backends))) == [
        ("/routers/0/backends/1/weight", f"Weights have no effect with the strategy {strategy}")
    ]
    for strategy_, weights in (("weighted", (1, 2)), (strategy, (3, 3))):
        backends = [backend("https://a", weight=weights[0]), backend("https://b", weight=weights[1])]
        assert operator.findings(config(router(load_balancing_strategy=strategy_, backends=backends))) == ()


@pytest.mark.parametrize("strategy", ["weighted", "least_request", "peak_ewma", "consistent_hash"])
def test_strategies_that_know_weights_take_them(operator: Operator, strategy: str) -> None:
    backends = [backend("https://a"), backend("https://b", weight=2)]
    assert operator.findings(config(router(load_balancing_strategy=strategy, backends=backends))) == ()


@pytest.mark.parametrize(("key", "value"), [("hash_on", "path"), ("balance_factor", 2.0), ("balance_factor", 0)])
def test_what_is_for_hashing_alone_has_no_effect_elsewhere(operator: Operator, key: str, value: Any) -> None:
    assert operator.warnings(config(router(load_balancing_strategy="random", **{key: value}))) == [
        (f"/routers/0/{key}", f'"{key}" has no effect with the strategy random')
    ]
    assert operator.findings(config(router(load_balancing_strategy="consistent_hash", **{key: value}))) == ()
    assert operator.warnings(config(router(load_balancing_strategy="hash", **{key: value}))) == []


def test_an_unknown_strategy_says_nothing_about_weights(operator: Operator) -> None:
    backends = [backend("https://a"), backend("https://b", weight=2)]
    found = operator.findings(config(router(load_balancing_strategy="weigthed", backends=backends)))
    assert [finding.level for finding in found] == ["error"]


@pytest.mark.parametrize("host", ["http://plain.example", "ws://plain.example"])
@pytest.mark.parametrize("tls", [{}, {"verify": False}])
def test_tls_settings_without_tls_protect_nothing(operator: Operator, host: str, tls: dict[str, Any]) -> None:
    (finding,) = [
        found
        for found in operator.findings(config(router(backends=[backend(host, tls=tls)])))
        if found.level == "error"
    ]

    assert finding.pointer == "/routers/0/backends/0/tls"
    assert finding.message.endswith(f"Backend has TLS settings, but is reached without TLS: {host}")
    assert finding.fix == 'write "host": "https://plain.example", or remove "tls"'


def test_a_certificate_that_is_not_checked_is_told(operator: Operator) -> None:
    given = config(router(backends=[backend("https://a", tls={"verify": False}), backend("wss://b", tls={})]))
    assert operator.warnings(given) == [
        (
            "/routers/0/backends/0/tls/verify",
            "The certificate of https://a is not checked: anybody on the way can pass for it",
        )
    ]


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_to_trust_everybody_is_told(operator: Operator, network: str) -> None:
    assert operator.warnings(config(server={"trusted_proxies": ["10.0.0.0/8", network]})) == [
        ("/server/trusted_proxies/1", "Every client is trusted as a proxy, and can pass for any address")
    ]
