"""Variables and secret files."""

import os
from pathlib import Path
from typing import Any

import pytest

from kairos.config.environment import MAX_SECRET_BYTES, Environment, convert, secrets_beside
from kairos.config.listening import Listener
from tests.config.configs import SECRET, backend, config, router
from tests.config.operators import Operator


def resolve(text: str, **variables: str) -> object:
    environment = Environment(variables)
    resolved = environment.resolve({"key": [text]})
    assert not environment.drafts
    return resolved["key"][0]


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("${HOST}", "backend"),
        ("http://${HOST}.example", "http://backend.example"),
        ("${HOST}${HOST}", "backendbackend"),
        ("${UNSET:-else}", "else"),
        ("${EMPTY:-else}", "else"),
        ("${EMPTY}", ""),
        ("${UNSET:-}", ""),
        ("${HOST:-else}", "backend"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$${HOST}"),
        ("$HOST costs 5$", "$HOST costs 5$"),
        ("/v2/$1/${1}", "/v2/$1/${1}"),
        ("no reference", "no reference"),
    ],
)
def test_references_are_replaced(text: str, resolved: str) -> None:
    assert resolve(text, HOST="backend", EMPTY="") == resolved


def test_what_a_variable_holds_is_not_looked_at_again() -> None:
    assert resolve("${A}", A="${B}", B="wrong") == "${B}"


def test_a_whole_string_becomes_what_the_key_wants(operator: Operator) -> None:
    given = config(
        router(methods="${METHODS}", auth_required="${PUBLIC:-false}"),
        version="${VERSION}",
        server={"port": "${PORT:-8080}", "host": "${HOST:-127.0.0.1}"},
        builtin_routes="${BUILTIN}",
    )
    environ = {"METHODS": '["GET", "PUT"]', "VERSION": "7", "BUILTIN": "false"}
    document = operator.document(given, environ=environ)

    assert document.routes[0].methods == ("GET", "PUT")
    assert document.settings.listeners == (Listener("127.0.0.1", 8080),)
    assert (document.settings.config_version, document.settings.builtin_prefix) == (7, None)


def test_a_text_that_looks_like_a_number_stays_a_text_where_a_text_is_wanted(operator: Operator) -> None:
    given = config(jwt={"secret": "${KEY}", "issuer": "${ISSUER}"})
    assert operator.errors(given, environ={"KEY": "12345678" * 4, "ISSUER": "42"}) == []


def test_a_part_of_a_string_is_never_converted(operator: Operator) -> None:
    given = config(server={"port": "80${PORT}"})
    assert operator.errors(given, environ={"PORT": "80"}) == [
        ("/server/port", "Invalid JSON structure: expected a whole number")
    ]


def test_a_variable_of_the_wrong_type_is_an_error_at_its_place(operator: Operator) -> None:
    (finding,) = operator.findings(config(server={"port": "${PORT}"}), environ={"PORT": "http"})

    assert (finding.pointer, finding.message) == ("/server/port", "Invalid JSON structure: expected a whole number")
    assert finding.fix == "set PORT to a whole number"
    assert finding.value == '"${PORT}"'


def test_a_variable_that_is_not_set_is_named_once(operator: Operator) -> None:
    (finding,) = operator.findings(config(server={"port": "${KAIROS_PORT}"}))

    assert (finding.level, finding.pointer) == ("error", "/server/port")
    assert finding.message == "Environment variable KAIROS_PORT is not set"
    assert finding.fix == 'set KAIROS_PORT, or write "${KAIROS_PORT:-default}"'


@pytest.mark.parametrize("text", ["${HOST", "${HOST-else}", "${HOST:else}", "${HOST WITH SPACE}"])
def test_a_reference_that_is_none_is_an_error(operator: Operator, text: str) -> None:
    errors = operator.errors(config(jwt={"secret": SECRET, "issuer": text}), environ={"HOST": "x"})
    assert errors == [("/jwt/issuer", "Malformed reference to an environment variable")]


def test_aliases_take_variables_too(operator: Operator) -> None:
    given = config(rate_limit={"requests_per_second": "${RATE}"})

    assert operator.errors(given, environ={"RATE": "5"}) == []
    assert operator.errors(given, environ={"RATE": "many"}) == [
        ("/rate_limit/requests_per_second", "Invalid JSON structure: expected a whole number")
    ]


def test_a_secret_is_read_from_a_file_beside_the_config(operator: Operator) -> None:
    (operator.folder / "keys").mkdir()
    (operator.folder / "keys" / "jwt").write_text(f"{SECRET}\n")
    given = config(jwt={"secret": {"file": "${KEYS}/jwt"}})

    assert operator.errors(given, environ={"KEYS": "keys"}) == []


def test_a_secret_in_a_file_has_to_be_good_as_well(operator: Operator) -> None:
    (operator.folder / "jwt").write_text("short\n")

    (error,) = operator.errors(config(jwt_secret={"file": "jwt"}))
    assert error == ("/jwt_secret", "JWT secret should be at least 32 characters for security")


def test_a_secret_file_that_cannot_be_read_is_an_error(operator: Operator) -> None:
    ((pointer, message),) = operator.errors(config(ai={"provider": "x", "model": "y", "api_key": {"file": "none"}}))

    assert pointer == "/ai/api_key"
    assert message == f"Cannot read secret file '{operator.folder / 'none'}': No such file or directory"


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"key\n", "key"), (b"key\r\n", "key"), (b"key", "key"), (b"key\n\n", "key\n"), (b" key ", " key ")],
)
def test_one_newline_at_the_end_is_not_part_of_a_secret(tmp_path: Path, content: bytes, secret: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert secrets_beside(tmp_path)("secret") == secret


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\xff\xfe", "not valid UTF-8"), (b"x" * (MAX_SECRET_BYTES + 1), "larger than 65536 bytes")],
)
def test_a_file_that_is_no_secret_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ValueError, match=f"Cannot read secret file '.*secret': {why}"):
        secrets_beside(tmp_path)("secret")


def test_an_object_that_names_no_file_is_no_secret(operator: Operator) -> None:
    assert operator.errors(config(jwt={"secret": {"path": "x"}})) == [
        ("/jwt/secret", "Invalid JSON structure: expected a string")
    ]


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "9" * 5_000, '["\\ud800"]', '{"a": 1}', '[{"a": 1}]', "[[1]]"],
    ids=["too deep", "too long", "half a character", "object", "array of objects", "array of arrays"],
)
def test_a_variable_that_spells_no_single_value_stays_a_text(text: str) -> None:
    assert convert(text) == text


@pytest.mark.parametrize(
    "place", [{"server": {"port": "${P}"}}, {"jwt": {"secret": "${P}"}}, {"cors": {"allowed_origins": ["a${P}"]}}]
)
def test_a_variable_that_is_no_utf_8_is_named(operator: Operator, place: dict[str, Any]) -> None:
    undecodable = os.fsdecode(b"\xff")
    (error,) = operator.errors(config(**place), environ={"P": undecodable})[:1]

    assert error[1] == "Environment variable P is not valid UTF-8"


def test_a_variable_can_say_null_where_null_may_stand(operator: Operator) -> None:
    given = config(
        router(backends=[backend(health_check_path="${NULL}")], retry="${NULL}"),
        logging={"access_log": "${LOG:-null}"},
        jwt={"secret": SECRET, "issuer": "x${NULL}", "audience": "null"},
    )
    operator_says = operator.findings(given, environ={"NULL": "null"})

    assert operator_says == ()
    assert operator.document(given, environ={"NULL": "null"}).settings.access_log is None


def test_null_is_a_text_where_null_may_not_stand(operator: Operator) -> None:
    document = operator.document(config(server={"host": "${HOST}"}), environ={"HOST": "null"})
    assert document.settings.listeners[0].host == "null"


@pytest.mark.parametrize(
    ("given", "environ", "fix"),
    [
        ({"rate_limit": "${V}"}, '{"requests_per_second": 1}', "write the object into the file"),
        ({"cors": {"allowed_origins": "${V}"}}, '[{"a": 1}]', 'set V to an array such as ["a", "b"]'),
        ({"server": {"port": "${V}"}}, "70000", "set V to a smaller number"),
        ({"logging": {"level": "${V}"}}, "x", "set V to one of these"),
        ({"access_list": {"allow": [], "deny": "${V}"}}, "[7]", "set V to a text"),
        ({"limits": {"max_headers": "${V}"}}, "1.5", "set V to a whole number"),
        ({"cors": {"enabled": "${V}"}}, "yes", "set V to true or false"),
    ],
)
def test_the_fix_names_the_variable(operator: Operator, given: dict[str, Any], environ: str, fix: str) -> None:
    (finding,) = (one for one in operator.findings(config(**given), environ={"V": environ}) if one.level == "error")
    assert finding.fix.startswith(fix)


def test_a_variable_in_a_key_is_a_warning(operator: Operator) -> None:
    ((pointer, message),) = operator.warnings(config(**{"${KEY}": 1}), environ={"KEY": "jwt"})

    assert pointer == "/${KEY}"
    assert message == 'Unknown key "${KEY}" is ignored: environment variables work in values only'


def test_a_secret_file_that_nobody_writes_to_does_not_hold_up_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secret")
    with pytest.raises(ValueError, match="not a regular file"):
        secrets_beside(tmp_path)("secret")
