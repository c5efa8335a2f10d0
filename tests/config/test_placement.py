"""Findings show values, and never secrets."""

from typing import Any, get_args

import pytest

from kairos.config.model import Config
from kairos.config.model.base import Block, Secret
from kairos.config.placement import SECRET_NAME
from kairos.config.unknown_keys import shape
from tests.config.configs import SECRET, backend, config, router
from tests.config.operators import Operator

TOP_SECRET = "hunter2"


def blocks(block: type[Block] = Config) -> set[type[Block]]:
    found = {block}
    pending = [block]
    while pending:
        for below in shape(pending.pop()).blocks.values():
            if below not in found:
                found.add(below)
                pending.append(below)
    return found


def holds_secret(annotation: Any) -> bool:
    return annotation is Secret or any(holds_secret(argument) for argument in get_args(annotation))


def test_every_secret_of_the_model_has_a_name_that_is_kept_quiet() -> None:
    secrets = {
        name for block in blocks() for name, field in block.model_fields.items() if holds_secret(field.annotation)
    }
    assert secrets == {"secret", "api_key", "password"}
    assert all(SECRET_NAME.search(name) for name in secrets)


@pytest.mark.parametrize(
    "given",
    [
        config(jwt={"secret": TOP_SECRET}),
        config(jwt_secret=TOP_SECRET),
        config(jwt_secret=TOP_SECRET, jwt={"secret": TOP_SECRET}),
        config(jwt=TOP_SECRET),
        config(jwt=[TOP_SECRET]),
        config(jwt={"secret": [TOP_SECRET]}),
        config(jwt={"secret": {"fiel": TOP_SECRET}}),
        config(jwt={"secrt": TOP_SECRET}),
        config(jwt_sekret=TOP_SECRET),
        config(password=TOP_SECRET),
        config(ai=TOP_SECRET),
        config(ai={"api_key": TOP_SECRET}),
        config(ai={"provider": "openai", "model": "x", "api_key": [TOP_SECRET]}),
        config(router(backends=[backend(f"http://admin:{TOP_SECRET}@backend")])),
        config(router(backends=None, host=f"http://admin:{TOP_SECRET}@backend", port=80)),
        config(jwt={"secret": "${JWT}"}),
        config(jwt={"secret": "${UNSET:-" + TOP_SECRET + "}"}),
    ],
)
def test_no_finding_shows_a_secret(operator: Operator, given: dict[str, Any]) -> None:
    findings = operator.findings(given, environ={"JWT": TOP_SECRET})

    assert findings
    for finding in findings:
        assert TOP_SECRET not in str(finding)
        assert TOP_SECRET not in str(finding.as_dict())


def test_a_secret_prints_as_stars_wherever_a_config_is_printed() -> None:
    validated = Config.model_validate(config(jwt={"secret": TOP_SECRET + SECRET}))

    for text in (repr(validated), str(validated), str(validated.model_dump()), validated.model_dump_json()):
        assert TOP_SECRET not in text
        assert "***" in text


def test_a_secret_can_be_read_by_who_needs_it() -> None:
    jwt = Config.model_validate(config(jwt={"secret": TOP_SECRET + SECRET})).jwt
    assert jwt is not None
    assert jwt.secret.get_secret_value() == TOP_SECRET + SECRET


def test_a_long_value_is_cut(operator: Operator) -> None:
    (finding,) = operator.findings(config(router(trailing_slash="x" * 500)))
    assert len(finding.value) < 100
    assert finding.value.endswith("...")


def test_control_characters_are_shown_and_not_obeyed(operator: Operator) -> None:
    for finding in operator.findings(config(router(methods=["GE\nT"]), **{"a\x1b[31m\u2028b": 1})):
        assert str(finding).isprintable()


@pytest.mark.parametrize(
    "given",
    [
        config(server={"port": "${JWT_SECRET}"}),
        config(server={"host": "x ${JWT_SECRET}"}),
        config(router(external_path="${JWT_SECRET}")),
        config(router(methods=["${JWT_SECRET}"])),
        config(router(methods="${LIST}")),
        config(router(backends=[backend("${JWT_SECRET}")])),
        config(router(hosts=["http://${JWT_SECRET}"])),
        config(builtin_routes="${JWT_SECRET}"),
        config(access_list={"deny": ["${JWT_SECRET}"]}),
        config(logging={"access_log": "/nowhere/${JWT_SECRET}"}),
    ],
)
def test_what_a_variable_holds_is_not_shown_wherever_it_was_put_by_mistake(
    operator: Operator, given: dict[str, Any]
) -> None:
    environ = {"JWT_SECRET": TOP_SECRET, "LIST": f'["{TOP_SECRET}"]'}
    errors = [finding for finding in operator.findings(given, environ=environ) if finding.level == "error"]

    assert errors
    for finding in errors:
        assert "${" in finding.value
        assert TOP_SECRET not in str(finding)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("http://user:p/ss@h", "http://***@h"),
        ("http://user:p@ss@h", "http://***@h"),
        ("http://user:p ss@h", "http://***@h"),
        ("http://token@h", "http://***@h"),
        ("user:pw@h", "***@h"),
    ],
)
def test_credentials_before_a_host_are_hidden(operator: Operator, host: str, shown: str) -> None:
    (finding,) = operator.findings(config(router(backends=[backend(host)])))

    assert finding.value == f'"{shown}"'
    assert finding.message.endswith(f": {shown}")


@pytest.mark.parametrize(
    "block",
    [
        {"api_keys": {"keys": [{"name": "a", "sha256": TOP_SECRET}]}},
        {"jwt": {"public_keys": [{"key": f"-----BEGIN PRIVATE KEY-----\n{TOP_SECRET}\n-----END PRIVATE KEY-----\n"}]}},
        {"jwt": {"jwks": {"url": f"http://id.example/keys?token={TOP_SECRET}"}}},
    ],
    ids=["a key for its hash", "a private key", "a token in an address"],
)
def test_what_was_pasted_into_the_wrong_place_is_not_shown(operator: Operator, block: dict[str, object]) -> None:
    errors = [finding for finding in operator.findings(config(router(), **block)) if finding.level == "error"]

    assert errors
    assert all(TOP_SECRET not in str(finding) for finding in errors)
