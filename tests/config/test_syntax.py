"""What is said about a text that is no JSON, and where."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.config.findings import ConfigRefused, Finding
from kairos.config.source import Source
from kairos.config.syntax import syntax_fault


def refusal(text: str) -> Finding:
    with pytest.raises(ConfigRefused) as refused:
        Source(Path("config.json"), text).parse()
    (finding,) = refused.value.findings
    return finding


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "fix"),
    [
        ('{"a": 1,\n "b": 2,\n}', 2, 8, "a comma after the last item", "remove the comma"),
        ("[1, 2 , ]", 1, 7, "a comma after the last item", "remove the comma"),
        ('{"a": 1, // why\n"b": 2}', 1, 10, "there are no comments in JSON", 'write it as a key: "_comment": "..."'),
        ("[1, /* why */ 2]", 1, 5, "there are no comments in JSON", 'write it as a key: "_comment": "..."'),
        ("# why\n{}", 1, 1, "there are no comments in JSON", 'write it as a key: "_comment": "..."'),
        ("{version: 1}", 1, 2, "a word without quotes", "put it in double quotes"),
        ('{"a": True}', 1, 7, "a word without quotes", "put it in double quotes"),
        ("{'a': 1}", 1, 2, "a text in single quotes", "use double quotes"),
        ('{"a": NaN}', 1, 7, "NaN is no JSON number", "write a number"),
        ('{"NaN": "Infinity",\n "b": -Infinity}', 2, 7, "-Infinity is no JSON number", "write a number"),
        ('{"a":\n' + "9" * 5001 + "}", 2, 1, "a number of 5001 digits", "write a smaller number"),
        ('{"a": "\x00"}', 1, 8, "a control character", "remove it"),
        ('{"a": \x00}', 1, 7, "a control character", "remove it"),
        ('{"a": "x\n"}', 1, 9, "a control character", "remove it; in a string, a line break is \\n"),
        ("", 1, 1, "the text ends too early", "write the rest"),
        ('{"a": 1', 1, 8, "the text ends too early", "write the rest"),
        ('{"a": "x', 1, 7, "Unterminated string starting at", "add the double quote at its end"),
        ('{"a": "\\x"}', 1, 8, "Invalid \\escape", "write a backslash as two"),
        ('{"a" 1}', 1, 6, "Expecting ':' delimiter", "put a colon"),
        ('{"a": 1 "b": 2}', 1, 9, "Expecting ',' delimiter", "put a comma between the items"),
        ('{"a": 1}}', 1, 9, "Extra data", "remove what follows the value"),
        ('{"a": 1,, "b": 2}', 1, 9, "Expecting property name", "write a key in double quotes"),
        ("[,]", 1, 2, "Expecting value", "write a value"),
        ("[" * 65 + "]" * 65, 1, 65, "nested deeper than 64 levels", "write it with fewer levels"),
        ('["[", ' + "[" * 100_000, 1, 70, "nested deeper than 64 levels", "write it with fewer levels"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_a_fault_has_a_place_a_reason_and_a_fix(text: str, line: int, column: int, message: str, fix: str) -> None:
    finding = refusal(text)

    assert (finding.line, finding.column) == (line, column)
    assert finding.message.startswith(f"Invalid JSON: {message}")
    assert finding.fix.startswith(fix)


@given(st.text("{}[]:,\"\\ntrue1.-'/#\n ", max_size=12))
def test_every_fault_has_a_fix(text: str) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        fault = syntax_fault(text, error)
        assert fault.fix
        assert 0 <= fault.offset <= len(text)
