"""What the workers get."""

from typing import Any

import pytest

from kairos.config.document import Backend, Document, Route, Settings
from kairos.config.normalise import Overrides
from tests.config.configs import SECRET, config, router
from tests.config.operators import Operator


def test_a_config_without_settings_has_the_defaults(operator: Operator) -> None:
    assert operator.document(config()).settings == Settings()


def test_settings_come_from_the_file(operator: Operator) -> None:
    given = config(
        version=3,
        server={"host": "::1", "port": 8080, "workers": 4},
        logging={"level": "debug", "access_log": "stdout"},
    )
    assert operator.document(given).settings == Settings("::1", 8080, 4, "debug", "stdout", "", 3)


def test_the_command_line_wins_over_the_file(operator: Operator) -> None:
    given = config(server={"host": "::1", "port": 8080, "workers": 4}, logging={"level": "debug"})

    settings = operator.document(given, overrides=Overrides("127.0.0.1", 0, 0, "error")).settings
    assert (settings.host, settings.port, settings.workers, settings.log_level) == ("127.0.0.1", 0, 0, "error")

    settings = operator.document(given, overrides=Overrides(port=9000)).settings
    assert (settings.host, settings.port, settings.workers, settings.log_level) == ("::1", 9000, 4, "debug")


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
    document = operator.document(config(*routers, jwt_secret=SECRET))
    assert Document.decode(document.encode()) == document
