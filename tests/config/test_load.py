"""The way from a file to a document as a whole."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from kairos.config.document import Document
from kairos.config.findings import ConfigRefused, ConfigUnreadable, Problem
from kairos.config.load import load
from tests.config.configs import SECRET, STRICT, config, router
from tests.config.operators import Operator


def test_a_correct_config_has_no_findings(operator: Operator) -> None:
    assert operator.findings(config()) == ()


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnreadable, match="Cannot resolve config path"):
        load(tmp_path / "config.json", {})


def test_a_file_that_is_no_json_is_refused_at_its_place(operator: Operator) -> None:
    with pytest.raises(ConfigRefused) as refused:
        operator.load('{\n  "version": 1\n  "routers": []}')

    path = operator.folder / "config.json"
    assert str(refused.value) == (
        f"{path}:3:3: error: Invalid JSON: Expecting ',' delimiter. "
        "Fix: put a comma between the items, or close the array or object"
    )


def test_a_refused_config_tells_its_warnings_too(operator: Operator) -> None:
    with pytest.raises(ConfigRefused) as refused:
        operator.load(config(router(methods=[], cors_rules={})))
    assert sorted(finding.level for finding in refused.value.findings) == ["error", "warning"]


def test_findings_have_line_column_value_and_fix(operator: Operator) -> None:
    text = '{\n  "version": 1,\n  "routers": [\n'
    text += '    {"external_path": "/a", "internal_path": "/b", "methods": ["GET"],\n'
    text += '     "host": "https://a", "port": 0}\n  ]\n}\n'
    (finding,) = operator.findings(text)

    assert str(finding) == (
        f"{operator.folder / 'config.json'}:5:35: error: /routers/0/port: Router 0 validation failed: "
        "Port must be between 1 and 65535 (value: 0). Fix: use a number from 1 to 65535"
    )


def test_a_repeated_key_is_an_error_at_its_second_place(operator: Operator) -> None:
    text = '{"version": 1,\n"routers": [],\n"version": 2}'
    (finding,) = [found for found in operator.findings(text) if found.pointer == "/version"]

    assert finding.message == 'Duplicate key "version", first given in line 1'
    assert (finding.level, finding.line, finding.column) == ("error", 3, 1)


def test_repeated_comments_are_no_error(operator: Operator) -> None:
    text = '{"_comment": 1, "_comment": 2, "$x": {"a": 1, "a": 2}, "version": 1, "routers": []}'
    assert [pointer for pointer, _ in operator.errors(text)] == ["/routers"]


def test_keys_with_a_slash_have_an_escaped_pointer(operator: Operator) -> None:
    findings = operator.findings('{"a/b~c": 1, "a/b~c": 2, "version": 1, "routers": []}')
    assert [(found.pointer, found.message[:20]) for found in findings[:2]] == [
        ("/a~1b~0c", 'Duplicate key "a/b~c'),
        ("/a~1b~0c", 'Unknown key "a/b~c" '),
    ]


def ambiguous(document: Document) -> Iterator[Problem]:
    for index, route in enumerate(document.routes):
        if "{" in route.external_path:
            yield Problem("warning", index, "external_path", "This is ambiguous", "say it clearly")


def impossible(document: Document) -> Iterator[Problem]:
    yield Problem("error", len(document.routes) - 1, "internal_path", "This cannot be")


def test_checks_of_others_become_findings_at_the_place_of_the_route(operator: Operator) -> None:
    (finding,) = operator.findings(config(router(), router("/b/{x}")), checks=[ambiguous])

    assert (finding.level, finding.pointer) == ("warning", "/routers/1/external_path")
    assert finding.message == "This is ambiguous"
    assert (finding.value, finding.fix) == ('"/b/{x}"', "say it clearly")
    assert finding.line > 1


def test_an_error_of_a_check_refuses_the_config(operator: Operator) -> None:
    with pytest.raises(ConfigRefused) as refused:
        operator.load(config(router(), router("/b/{x}")), checks=[ambiguous, impossible])
    assert [finding.message for finding in refused.value.findings] == ["This is ambiguous", "This cannot be"]


def test_checks_run_beside_errors_that_do_not_concern_the_routes(operator: Operator) -> None:
    tls = {"cert_file": "nowhere.pem", "key_file": "one.key", "client_ca": "ca.key"}
    given = config(router("/b/{x}"), router("/c"), server={"tls": tls}, jwtt={})
    findings = operator.findings(given, checks=[ambiguous], allow_inactive=False)
    assert {finding.pointer for finding in findings} == {
        *("/routers/0/external_path", "/jwtt"),
        *("/server/tls/cert_file", "/server/tls/client_ca"),
    }


def test_checks_see_the_routes_that_are_right_beside_those_that_are_wrong(operator: Operator) -> None:
    def every_route(document: Document) -> Iterator[Problem]:
        for index, route in enumerate(document.routes):
            yield Problem("error", index, "external_path", f"saw {route.external_path}")

    given = config(router("no-slash"), router("/b", methods=[]), 7, router("/../c"), router("/d"))

    assert operator.errors(given, checks=[every_route]) == [
        ("/routers/0/external_path", "Router 0 validation failed: External path must start with '/'"),
        ("/routers/1/external_path", "saw /b"),
        ("/routers/1/methods", "Router 1 validation failed: At least one HTTP method must be specified"),
        ("/routers/2", "Invalid JSON structure: expected an object"),
        ("/routers/3/external_path", "Path traversal detected in route: /../c -> /b"),
        ("/routers/4/external_path", "saw /d"),
    ]


def test_the_folder_of_the_access_log_has_to_exist(operator: Operator) -> None:
    folder = operator.folder / "logs"
    given = config(logging={"access_log": str(folder / "access.log")})

    message = f"The folder of the access log does not exist: {folder}"
    assert operator.errors(given) == [("/logging/access_log", message)]
    folder.mkdir()
    assert operator.errors(given) == []


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(operator: Operator, enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        operator.findings(config(router(methods=[])))
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_the_strict_shape_needs_no_translation(operator: Operator) -> None:
    document = operator.document(STRICT)

    assert len(document.routes) == len(STRICT["routers"])
    assert SECRET not in repr(document)
