"""What is accepted and does nothing yet."""

from typing import Any

import pytest

from kairos.config.inactive import INACTIVE, Inactive, inactive_settings, report
from kairos.config.model import Config
from kairos.config.model.base import Block
from kairos.config.unknown_keys import shape
from tests.config.configs import STRICT, backend, config, router
from tests.config.operators import Operator

LIMIT: dict[str, Any] = {"requests_per_window": 10}

WITHOUT_EFFECT = [
    (config(ai={"provider": "openai", "model": "x"}), "/ai"),
    (config(metrics={}), "/metrics"),
    (config(router(protocol="ftp", backends=[backend("ftp://a", 21)])), "/routers/0/protocol"),
    (config(rate_limit={**LIMIT, "enable_redis": True}), "/rate_limit/enable_redis"),
    (config(router(rate_limit={**LIMIT, "enable_redis": True})), "/routers/0/rate_limit/enable_redis"),
    (
        config(rate_limit={**LIMIT, "strategy": {"Composite": [{**LIMIT, "enable_redis": True}]}}),
        "/rate_limit/strategy/Composite/0/enable_redis",
    ),
    (config(router(ai_policy={"enabled": True, "strategy": "latency_prediction"})), "/routers/0/ai_policy"),
]


def test_protection_that_is_missing_stops_the_gateway_unless_that_is_allowed() -> None:
    setting, path = Inactive("/server/wall", protects=True), ("server", "wall")
    refused, allowed = (report(setting, path, allow=allow) for allow in (False, True))

    assert (refused.level, refused.path) == ("error", path)
    assert refused.message == '"wall" is not active in this version, and the gateway must not run without it'
    assert refused.fix
    assert allowed.level == "warning"
    assert allowed.message == '"wall" is not active in this version; the gateway runs without this protection'


@pytest.mark.parametrize(("given", "pointer"), WITHOUT_EFFECT)
def test_a_setting_without_its_feature_is_a_warning(operator: Operator, given: dict[str, Any], pointer: str) -> None:
    ((found, message),) = operator.warnings(given, allow_inactive=False)

    assert found == pointer
    assert message.startswith(f'"{pointer.rpartition("/")[2]}" is not active in this version')
    assert operator.errors(given, allow_inactive=False) == []


@pytest.mark.parametrize(
    "given",
    [
        config(),
        config(router(load_balancing_strategy="round_robin", protocol="http", auth_required=False)),
        config(router(protocol="websocket")),
        config(router(backends=[backend(weight=1, health_check_path=None)], retry=None)),
        config(rate_limit=LIMIT),
        config(jwt=None, rate_limit=None, access_list=None, ai=None, server={}),
        config(router(load_balancing_strategy="ip_hash", preserve_host=True, limits={}, timeouts={})),
        config(security_headers={"strict_transport_security": False}),
        config(limits={}, timeouts={}, server={"trusted_proxies": [], "via": None, "forwarded": False}),
        config(cors={"enabled": False}, metrics={"enabled": False}),
        config(router(ai_policy={"enabled": False, "strategy": "latency_prediction"})),
    ],
)
def test_what_asks_for_nothing_is_no_matter(operator: Operator, given: dict[str, Any]) -> None:
    assert operator.findings(given, allow_inactive=False) == ()


def test_every_line_of_the_table_fits_the_config_that_uses_every_key() -> None:
    whole = {**STRICT}
    shared: dict[str, Any] = {**LIMIT, "enable_redis": True}
    shared["strategy"] = {"Composite": [{**LIMIT, "enable_redis": True}]}
    whole["rate_limit"] = shared
    whole["routers"] = [*STRICT["routers"], router(rate_limit=shared)]
    reported = {
        "/".join("*" if isinstance(step, int) else step for step in ("", *draft.path))
        for draft in inactive_settings(whole, allow=False)
    }
    assert reported == {setting.pattern for setting in INACTIVE}


def test_a_block_has_a_switch_if_its_model_has_one() -> None:
    for setting in INACTIVE:
        block = block_at(setting.pattern)
        assert setting.has_switch == (block is not None and "enabled" in block.model_fields), setting.pattern
        assert not (setting.has_switch and setting.protects)


def block_at(pattern: str) -> type[Block] | None:
    block: type[Block] | None = Config
    for step in pattern.split("/")[1:]:
        if step != "*":
            block = shape(block).blocks.get(step) if block else None
    return block


@pytest.mark.parametrize("key", ["request_transformation", "response_transformation"])
def test_what_is_no_setting_at_all_is_not_called_inactive(operator: Operator, key: str) -> None:
    given = config(router("/a", **{key: 7}))
    assert [finding.level for finding in operator.findings(given)] == ["error"]


def test_an_inactive_protocol_tells_what_such_a_route_answers(operator: Operator) -> None:
    ((_, message),) = operator.warnings(config(router(protocol="ftp", backends=[backend("ftp://a", 21)])))
    assert message.endswith("such a route answers 501")
