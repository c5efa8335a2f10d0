"""What workers get of the policies that say who may pass, and in which form."""

from typing import Any

import pytest

from kairos.config.model.compression import COMPRESSIBLE
from kairos.config.policies import AccessList, Compression, Cors, RequestChecks
from tests.config.configs import STRICT, config, router
from tests.config.operators import Operator


def test_a_route_has_the_access_list_of_the_gateway_and_its_own(operator: Operator) -> None:
    own = {"allow": ["10.1.0.0/16", "10.1.0.0/16"]}
    given = config(router("/a", access_list=own), router("/b"), access_list={"deny": ["2001:DB8:0::/32"]})

    first, second = operator.document(given, allow_inactive=False).routes

    assert first.access_lists == (AccessList(deny=("2001:db8::/32",)), AccessList(allow=("10.1.0.0/16",)))
    assert second.access_lists == (AccessList(deny=("2001:db8::/32",)),)


def test_an_access_list_that_says_nothing_is_none(operator: Operator) -> None:
    (route,) = operator.document(config(router(access_list={}), access_list={"allow": [], "deny": []})).routes
    assert route.access_lists == ()


def test_an_allowed_network_that_is_denied_as_a_whole_is_a_warning(operator: Operator) -> None:
    lists = {"allow": ["10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32"], "deny": ["10.0.0.0/8", "192.0.2.128/25"]}
    message = "10.1.0.0/16 is part of 10.0.0.0/8, which is denied: deny wins, so nobody comes in from there"

    for given, place in ((config(access_list=lists), ""), (config(router(access_list=lists)), "/routers/0")):
        assert operator.warnings(given) == [(f"{place}/access_list/allow/0", message)]


def test_cors_is_that_of_the_route_or_else_that_of_the_gateway(operator: Operator) -> None:
    given = config(
        router("/a"), router("/b", cors={"max_age": 1}), router("/c", cors={"enabled": False}), cors={"max_age": 2}
    )
    routes = operator.document(given, allow_inactive=False).routes

    assert [route.cors for route in routes] == [Cors(max_age=2), Cors(max_age=1), None]
    assert operator.document(config()).routes[0].cors is None


def test_every_setting_of_cors_comes_from_the_file(operator: Operator) -> None:
    assert operator.document(STRICT).routes[1].cors == Cors(
        origins=("https://app.example.com", "https://*.example.org"),
        patterns=("https://pr-[0-9]+[.]example[.]net",),
        methods=("*",),
        headers=("*",),
        exposed=("X-Total",),
        credentials=True,
        max_age=60,
        private_network=True,
    )


def test_origins_are_kept_as_browsers_write_them(operator: Operator) -> None:
    written = [
        "HTTPS://App.Example:443",
        "http://a.example:80",
        "http://a.example:8080",
        "https://*.B\u00fccher.example",
    ]
    (route,) = operator.document(
        config(cors={"allowed_origins": [*written, "capacitor://localhost", "http://[::1]"]})
    ).routes
    assert route.cors is not None
    assert route.cors.origins == (
        "https://app.example",
        "http://a.example",
        "http://a.example:8080",
        "https://*.xn--bcher-kva.example",
        "capacitor://localhost",
        "http://[::1]",
    )


def test_patterns_alone_do_not_let_all_others_in(operator: Operator) -> None:
    (route,) = operator.document(config(cors={"allowed_origin_patterns": ["https://[a-z]+[.]example"]})).routes
    assert route.cors == Cors(origins=(), patterns=("https://[a-z]+[.]example",))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("allowed_origins", "https://a.example/", "Not an origin: https://a.example/"),
        ("allowed_origins", "a.example", "Not an origin: a.example"),
        ("allowed_origins", "https://*", "Not an origin: https://*"),
        ("allowed_origins", "https://a.*.example", "Not an origin: https://a.*.example"),
        ("allowed_origins", "null", "Not an origin that can be told from others: null"),
        ("allowed_origin_patterns", "(", "Not a regular expression that can be used: missing ): ("),
        ("allowed_origin_patterns", ".*", "The expression takes the origins of anybody"),
        ("allowed_origin_patterns", "https://.*", "The expression takes the origins of anybody"),
        ("allowed_methods", "get", "Not a method: get"),
        ("allowed_methods", "GET, PUT", "Not a method: GET, PUT"),
        ("allowed_headers", "X A", "Not the name of a header field: X A"),
        ("exposed_headers", "X:", "Not the name of a header field: X:"),
    ],
)
def test_what_cors_cannot_mean_is_an_error(operator: Operator, key: str, value: str, message: str) -> None:
    assert operator.errors(config(cors={key: [value]})) == [(f"/cors/{key}/0", message)]


@pytest.mark.parametrize("origins", [{}, {"allowed_origins": ["*"]}, {"allowed_origins": ["https://a.example", "*"]}])
def test_credentials_for_every_origin_are_an_error(operator: Operator, origins: dict[str, Any]) -> None:
    message = "Credentials cannot be allowed to the pages of every origin"
    block = {"allow_credentials": True, **origins}

    assert operator.errors(config(cors=block)) == [("/cors/allow_credentials", message)]
    ((pointer, text),) = operator.errors(config(router(cors=block)))
    assert (pointer, text) == ("/routers/0/cors/allow_credentials", f"Router 0 validation failed: {message}")
    assert operator.errors(config(cors={**block, "enabled": False})) == []


def test_a_dot_that_takes_any_character_is_a_warning(operator: Operator) -> None:
    block = {"allowed_origin_patterns": [r"https://[a-z]+\.example\.com", r"https://[a-z]+\.example.com"]}
    message = "The dot before 'com' takes any character"
    assert operator.warnings(config(cors=block)) == [("/cors/allowed_origin_patterns/1", message)]


def test_any_text_before_a_name_is_a_warning(operator: Operator) -> None:
    block = {"allowed_origin_patterns": [r"https://(.+\.)?example\.com", r"https://.*example\.com"]}
    message = r"Names that only end in 'example\\.com' are taken too"
    assert operator.warnings(config(cors=block)) == [("/cors/allowed_origin_patterns/1", message)]


def test_security_headers_of_a_route_go_before_those_of_the_gateway(operator: Operator) -> None:
    whole = {"x_frame_options": "deny", "referrer_policy": "no-referrer", "permissions_policy": "camera=()"}
    own = {"x_frame_options": "SAMEORIGIN", "referrer_policy": False, "permissions_policy": True}
    document = operator.document(config(router("/a"), router("/b", security_headers=own), security_headers=whole))

    usual = (("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"), ("Permissions-Policy", "camera=()"))
    assert document.settings.security_headers == usual
    assert document.routes[0].security_headers == usual
    assert document.routes[1].security_headers == (("X-Frame-Options", "SAMEORIGIN"), ("Referrer-Policy", None))
    assert operator.document(config()).routes[0].security_headers == ()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("x_frame_options", "ALLOW", "Not a value of X-Frame-Options: ALLOW"),
        ("referrer_policy", "never", "Not a value of Referrer-Policy: never"),
        ("strict_transport_security", "31536000", "Not a value of Strict-Transport-Security: 31536000"),
        ("strict_transport_security", "max-age=1; all", "Not a value of Strict-Transport-Security: max-age=1; all"),
        ("content_security_policy", "a\r\nb", "Not the value of a header field"),
        ("content_security_policy", "", "Not the value of a header field"),
        ("permissions_policy", "\u00e4", "Not the value of a header field"),
        ("permissions_policy", 7, "A header is a text, true or false"),
        ("cross_origin_opener_policy", "x", "Not a value of Cross-Origin-Opener-Policy: x"),
        ("cross_origin_resource_policy", "x", "Not a value of Cross-Origin-Resource-Policy: x"),
    ],
)
def test_a_header_that_browsers_do_not_know_is_an_error(operator: Operator, key: str, value: Any, message: str) -> None:
    assert operator.errors(config(security_headers={key: value})) == [(f"/security_headers/{key}", message)]


@pytest.mark.parametrize("value", ["max-age=0", "max-age=31536000; includeSubDomains; preload", 'MAX-AGE="1"'])
def test_strict_transport_security_is_taken_as_it_is(operator: Operator, value: str) -> None:
    (route,) = operator.document(config(security_headers={"strict_transport_security": value})).routes
    assert route.security_headers == (("Strict-Transport-Security", value),)


def test_requests_are_checked_as_the_route_says_or_else_the_gateway(operator: Operator) -> None:
    document = operator.document(STRICT)
    assert document.routes[0].checks == RequestChecks(("sqlmap",), ("application/json",))
    assert document.routes[1].checks == RequestChecks((), ("text/*",))


def test_what_is_no_media_type_is_an_error(operator: Operator) -> None:
    given = config(router(request_checks={"allowed_content_types": ["json"]}))
    ((pointer, message),) = operator.errors(given)
    assert pointer == "/routers/0/request_checks/allowed_content_types/0"
    assert message == "Router 0 validation failed: Not a media type: json"


def test_compression_is_that_of_the_route_or_else_that_of_the_gateway(operator: Operator) -> None:
    own = {"algorithms": ["gzip", "gzip"], "types": []}
    routers = router("/a"), router("/b", compression=own), router("/c", compression={"enabled": False})
    routes = operator.document(config(*routers, compression={"min_bytes": 1}), allow_inactive=False).routes

    assert [route.compression for route in routes] == [
        Compression(types=COMPRESSIBLE, min_bytes=1),
        Compression(("gzip",), types=()),
        None,
    ]
    assert operator.document(config()).routes[0].compression is None


def test_every_setting_of_compression_comes_from_the_file(operator: Operator) -> None:
    assert operator.document(STRICT).routes[1].compression == Compression(
        algorithms=("gzip", "br"),
        types=("text/*", "application/*+json"),
        min_bytes=100,
        br_level=5,
        zstd_level=4,
        gzip_level=9,
        event_streams=True,
    )


@pytest.mark.parametrize("written", ["text", "*/*", "text/html; charset=utf-8", "text/*html", "a/*+", ""])
def test_what_is_no_media_type_is_refused(operator: Operator, written: str) -> None:
    assert operator.errors(config(compression={"types": [written]})) == [
        ("/compression/types/0", f"Not a media type: {written}")
    ]


@pytest.mark.parametrize(
    "bad", [{"algorithms": []}, {"algorithms": ["deflate"]}, {"min_bytes": 0}, {"levels": {"br": 12}}]
)
def test_compression_has_bounds(operator: Operator, bad: dict[str, Any]) -> None:
    assert len(operator.errors(config(compression=bad))) == 1
