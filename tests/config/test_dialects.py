"""Every dialect becomes the strict shape, and findings still point at what was written."""

from copy import deepcopy
from typing import Any

import pytest

from kairos.config.dialects import ALIASES, Translation
from kairos.config.model import Config
from tests.config.configs import SECRET, STRICT, config, router
from tests.config.operators import Operator


def strict(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the strict shape of a config; nothing in it may be said twice."""
    translation = Translation()
    tree = deepcopy(tree)
    translation.config(tree)
    assert not translation.drafts
    return tree


def strict_limit(limit: dict[str, Any]) -> dict[str, Any]:
    translated: dict[str, Any] = strict({"rate_limit": limit})["rate_limit"]
    return translated


def test_the_strict_shape_stays_as_it_is() -> None:
    assert strict(STRICT) == STRICT


def test_the_first_readme_has_the_secret_at_the_top() -> None:
    assert strict({"jwt_secret": SECRET}) == {"jwt": {"secret": SECRET}}
    assert strict({"jwt_secret": SECRET, "jwt": {"issuer": "me"}}) == {"jwt": {"issuer": "me", "secret": SECRET}}
    assert strict({"jwt_secret": SECRET, "jwt": None}) == {"jwt": {"secret": SECRET}}


def test_the_readme_counts_requests_per_second() -> None:
    assert strict_limit({"algorithm": "token_bucket", "requests_per_second": 100, "burst_size": 10}) == {
        "window_type": "TokenBucket",
        "requests_per_window": 100,
        "window_duration": 1,
        "burst_allowance": 10,
    }


def test_the_multi_protocol_example_calls_the_window_a_strategy() -> None:
    assert strict_limit({"strategy": "sliding_window", "requests_per_minute": 100, "burst_size": 150}) == {
        "window_type": "SlidingWindow",
        "requests_per_window": 100,
        "window_duration": 60,
        "burst_allowance": 150,
    }


@pytest.mark.parametrize(
    ("name", "window_type"),
    [("fixed_window", "FixedWindow"), ("sliding_window", "SlidingWindow"), ("token_bucket", "TokenBucket")],
)
@pytest.mark.parametrize("key", ["algorithm", "strategy", "window_type"])
def test_windows_have_a_second_name(key: str, name: str, window_type: str) -> None:
    assert strict_limit({key: name, "requests_per_window": 1}) == {"requests_per_window": 1, "window_type": window_type}


def test_a_strategy_keeps_its_meaning() -> None:
    assert strict_limit({"strategy": "PerUser"}) == {"strategy": "PerUser"}


def test_the_members_of_a_composite_limit_are_translated() -> None:
    limit = {"strategy": {"Composite": [{"requests_per_hour": 5}, {"strategy": {"Composite": [{"burst_size": 2}]}}]}}
    first, second = strict_limit(limit)["strategy"]["Composite"]

    assert first == {"requests_per_window": 5, "window_duration": 3600}
    assert second["strategy"]["Composite"] == [{"burst_allowance": 2}]


def test_the_second_readme_calls_retry_a_config() -> None:
    retry = {"max_retries": 3, "retryable_status_codes": [502]}
    (translated,) = strict(config(router(retry_config=retry)))["routers"]

    assert translated == router(retry={"max_retries": 3, "retry_on_status_codes": [502]})


def test_the_configuration_guide_calls_backoffs_delays() -> None:
    retry = {"base_delay_ms": 100, "max_delay_ms": 2000, "retryable_status_codes": [500]}
    (translated,) = strict(config(router(retry=retry)))["routers"]

    assert translated["retry"] == {"initial_backoff_ms": 100, "max_backoff_ms": 2000, "retry_on_status_codes": [500]}


def test_the_gateway_readme_has_the_breaker_in_the_retry_block() -> None:
    retry = {"retry_delay_ms": 100, "circuit_breaker_threshold": 5, "circuit_breaker_timeout_ms": 30000}
    (translated,) = strict(config(router(retry=retry)))["routers"]

    assert translated["retry"] == {"initial_backoff_ms": 100}
    assert translated["circuit_breaker"] == {"failure_threshold": 5, "timeout_ms": 30000}


def test_the_multi_protocol_example_loads(operator: Operator) -> None:
    document = operator.document(
        {
            "version": 1,
            "jwt": {"secret": SECRET, "issuer": "kairos-gateway", "required_claims": ["sub", "exp"]},
            "rate_limit": {"strategy": "sliding_window", "requests_per_minute": 100, "burst_size": 150},
            "routers": [
                router("/ftp", protocol="ftp", backends=[{"host": "ftp://ftp.example.com", "port": 21}]),
                router("/dns", protocol="dns", methods=["POST"], backends=[{"host": "8.8.8.8", "port": 53}]),
            ],
        }
    )
    assert [route.backends[0].scheme for route in document.routes] == ["ftp", "dns"]


def test_the_documented_blocks_load(operator: Operator) -> None:
    given = config(
        router(auth_required=True, rate_limit={"requests_per_second": 100, "burst_size": 20}),
        jwt_secret=SECRET,
        server={"host": "0.0.0.0", "port": 8080},
        metrics={"enabled": True, "path": "/metrics"},
        cors={"allowed_origins": ["*"], "allowed_methods": ["GET"], "allowed_headers": ["Accept"], "max_age": 3600},
        limits={},
    )
    assert operator.document(given).settings.listeners[0].port == 8080


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (config(jwt_secret="short"), "/jwt_secret"),
        (config(rate_limit={"requests_per_minute": -1}), "/rate_limit/requests_per_minute"),
        (config(rate_limit={"requests_per_second": 1, "algorithm": "leaky"}), "/rate_limit/algorithm"),
        (config(rate_limit={"requests_per_second": 1, "burst_size": "x"}), "/rate_limit/burst_size"),
        (config(router(retry_config={"max_retries": 11})), "/routers/0/retry_config/max_retries"),
        (config(router(retry_config={"max_delay_ms": "x"})), "/routers/0/retry_config/max_delay_ms"),
        (config(router(retry={"circuit_breaker_threshold": 0})), "/routers/0/retry/circuit_breaker_threshold"),
        (config(router(retry_config=7)), "/routers/0/retry_config"),
    ],
)
def test_findings_point_at_the_alias_that_the_operator_wrote(
    operator: Operator, given: dict[str, Any], pointer: str
) -> None:
    (finding,) = [found for found in operator.findings(given) if found.level == "error"]
    *_, key = pointer.split("/")

    assert finding.pointer == pointer
    line = (operator.folder / "config.json").read_text().splitlines()[finding.line - 1]
    assert f'"{key}": ' in line
    assert line[finding.column - 1 :].strip()[0] in '"[{-0123456789'


@pytest.mark.parametrize(
    ("given", "pointer", "other"),
    [
        (config(jwt_secret=SECRET, jwt={"secret": SECRET}), "/jwt_secret", "/jwt/secret"),
        (config(router(retry={}, retry_config={})), "/routers/0/retry_config", "/routers/0/retry"),
        (
            config(router(retry={"retry_delay_ms": 1, "base_delay_ms": 2})),
            "/routers/0/retry/retry_delay_ms",
            "/routers/0/retry/base_delay_ms",
        ),
        (
            config(rate_limit={"requests_per_second": 1, "requests_per_minute": 60}),
            "/rate_limit/requests_per_minute",
            "/rate_limit/requests_per_second",
        ),
        (
            config(rate_limit={"requests_per_second": 1, "window_duration": 5}),
            "/rate_limit/requests_per_second",
            "/rate_limit/window_duration",
        ),
        (
            config(rate_limit={"requests_per_second": 1, "strategy": "fixed_window", "window_type": "FixedWindow"}),
            "/rate_limit/strategy",
            "/rate_limit/window_type",
        ),
    ],
)
def test_the_same_thing_said_twice_is_an_error(
    operator: Operator, given: dict[str, Any], pointer: str, other: str
) -> None:
    name = pointer.rpartition("/")[2]
    assert operator.errors(given) == [(pointer, f'"{name}" and {other} set the same thing')]


@pytest.mark.parametrize("wrong", [None, 7, "x", [], [1, "x", None], {}])
@pytest.mark.parametrize("key", ["routers", "rate_limit", "jwt", "logging"])
def test_values_of_a_wrong_type_are_left_to_the_model(key: str, wrong: Any) -> None:
    Translation().config({key: deepcopy(wrong), "jwt_secret": SECRET, "routers": [{"retry": wrong, key: wrong}]})
    Translation().config(wrong)


def test_no_alias_hides_a_key_of_the_strict_shape() -> None:
    assert Config in ALIASES
    for block, aliases in ALIASES.items():
        assert aliases.keys().isdisjoint(block.model_fields)
