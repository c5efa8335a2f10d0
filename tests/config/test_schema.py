"""What loads fits the JSON Schema, and what does not fit does not load."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kairos.config.dialects import ALIASES
from kairos.config.schema import json_schema, strict_schema
from tests.config.configs import SECRET, STRICT, config, router

SCHEMA = json_schema()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Check a value against the part of JSON Schema that ours uses."""
    if "$ref" in schema:
        return fits(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    choices_fit = all(
        choose(fits(value, choice) for choice in schema[union])
        for union, choose in (("anyOf", any), ("oneOf", any), ("allOf", all))
        if union in schema
    )
    return choices_fit and has_type(value, schema.get("type")) and keeps_limits(value, schema)


def has_type(value: Any, wanted: str | None) -> bool:
    if wanted is None:
        return True
    return isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))


def keeps_limits(value: Any, schema: dict[str, Any]) -> bool:
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    match value:
        case dict():
            has_required = all(name in value for name in schema.get("required", ()))
            return has_required and all(
                fits(inner, schema["properties"][name])
                for name, inner in value.items()
                if name in schema.get("properties", {})
            )
        case list():
            items_fit = all(fits(item, schema.get("items", {})) for item in value)
            return items_fit and len(value) >= schema.get("minItems", 0)
        case str():
            return re.search(schema.get("pattern", ""), value) is not None and len(value) >= schema.get("minLength", 0)
        case int() | float():
            return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    return True


DIALECTS = [
    config(router(retry_config={"max_retries": 3, "retryable_status_codes": [502]}), jwt_secret=SECRET),
    config(rate_limit={"algorithm": "token_bucket", "requests_per_second": 100, "burst_size": 10}),
    config(rate_limit={"strategy": "sliding_window", "requests_per_minute": 100, "burst_size": 150}),
    config(router(rate_limit={"requests_per_second": 100}, retry={"base_delay_ms": 1, "max_delay_ms": 2})),
    config(router(retry={"retry_delay_ms": 100, "circuit_breaker_threshold": 5, "circuit_breaker_timeout_ms": 30000})),
]


@pytest.mark.parametrize("given", [STRICT, *DIALECTS])
def test_what_loads_fits_the_schema(given: dict[str, Any]) -> None:
    assert fits(given, SCHEMA)


def test_the_example_fits_the_schema() -> None:
    example = Path(__file__).parents[2] / "config.example.json"
    assert fits(json.loads(example.read_text()), SCHEMA)


def test_variables_and_secret_files_fit_the_schema() -> None:
    given = config(
        router(protocol="${PROTOCOL:-http}", auth_required="${AUTH}"),
        server={"port": "${PORT:-5900}", "trusted_proxies": "${PROXIES}", "via": "${NAME}", "forwarded": "${TELLS}"},
        timeouts={"connect_seconds": "${SECONDS}", "upstream_requests": "${REQUESTS:-1}"},
        jwt={"secret": {"file": "jwt.key"}},
        access_list={"allow": "${NETWORKS}", "deny": ["${NETWORK}"]},
    )
    given["routers"] += [
        router("${PREFIX}/a", methods=["${METHOD}"], hosts="${HOSTS}"),
        router(retry={"retry_on_status_codes": ["${STATUS}", 502]}),
        router(retry={"retryable_status_codes": "${STATUSES}"}),
        router(trailing_slash="${HOW}${MUCH}"),
    ]
    assert fits(given, SCHEMA)


@pytest.mark.parametrize(
    "given",
    [
        {"version": 1},
        config(7),
        config(router(methods="GET")),
        config(router(external_path="a")),
        config(router(protocol="gopher")),
        config(server={"port": 70000}),
        config(server={"port": "5900"}),
        config(server={"port": "59${X}"}),
        config(server={"via": "two words"}),
        config(server={"via": True}),
        config(timeouts={"connect_seconds": -1}),
        config(timeouts={"connect_seconds": "3"}),
        config(limits={"max_target_bytes": 1}),
        config(router(limits={"max_headers": 0})),
        config(router(timeouts={"min_body_rate": 1.5})),
        config(router(backends="${BACKENDS}")),
        config(router(retry="${RETRY}")),
        config(router(retry={"retry_on_status_codes": ["502"]})),
        config(router(retry={"backoff_multiplier": 0.5})),
        config(rate_limit="${LIMIT}"),
        config(builtin_routes="/a/../b"),
        config(rate_limit={"algorithm": "token_bucket"}),
        config(rate_limit={"algorithm": "leaky_bucket", "requests_per_second": 1}),
        config(jwt={"secret": {"path": "x"}}),
    ],
)
def test_what_does_not_load_does_not_fit(given: dict[str, Any]) -> None:
    assert not fits(given, SCHEMA)


def test_everything_is_described() -> None:
    for schema in (SCHEMA, strict_schema()):
        for part in (schema, *schema["$defs"].values()):
            assert part["description"]
            assert [name for name, inner in part.get("properties", {}).items() if not inner.get("description")] == []


def test_every_alias_is_there_and_marked() -> None:
    for block, aliases in ALIASES.items():
        properties = SCHEMA["$defs"].get(block.__name__, SCHEMA)["properties"]
        for name in aliases:
            assert properties[name]["deprecated"]
            assert properties[name]["description"].startswith("Another name for `")


def test_no_key_is_forbidden_so_that_comments_are_allowed() -> None:
    assert "additionalProperties" not in SCHEMA
    assert "additionalProperties" not in SCHEMA["$defs"]["Router"]


def test_no_secret_stands_in_the_schema() -> None:
    secret = SCHEMA["$defs"]["Jwt"]["properties"]["secret"]
    assert secret["default"] is None
    assert secret["anyOf"][0] == {"type": "string", "format": "password", "writeOnly": True}
