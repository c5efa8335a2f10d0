"""Files, text and JSON."""

from pathlib import Path

import pytest

from kairos.config.findings import ConfigRefused, ConfigUnreadable, Finding
from kairos.config.source import MAX_BYTES, Source


def parse(text: str) -> object:
    return Source(Path("config.json"), text).parse()


def refusal(text: str) -> Finding:
    with pytest.raises(ConfigRefused) as refused:
        parse(text)
    (finding,) = refused.value.findings
    return finding


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.json"

    with pytest.raises(ConfigUnreadable) as unreadable:
        Source.read(path)
    assert str(unreadable.value) == f"Cannot resolve config path '{path}'"


def test_a_path_through_a_file_tells_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")

    with pytest.raises(ConfigUnreadable, match=r"Cannot resolve config path '.*file/config.json': Not a directory"):
        Source.read(tmp_path / "file" / "config.json")


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnreadable, match="Cannot read config file: Is a directory"):
        Source.read(tmp_path)


def test_a_file_of_ten_mebibytes_is_the_largest(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b" " * MAX_BYTES)
    assert len(Source.read(path).text) == MAX_BYTES

    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(ConfigUnreadable) as unreadable:
        Source.read(path)
    assert str(unreadable.value) == "Config file too large: 10485761 bytes (max: 10485760 bytes)"


def test_other_encodings_are_refused_and_a_byte_order_mark_is_not(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes("{}".encode("utf-8-sig"))
    assert Source.read(path).text == "{}"

    path.write_bytes('{"ä": 1}'.encode("latin-1"))
    with pytest.raises(ConfigUnreadable, match=r"Cannot read config file: not valid UTF-8 \(byte 2\)"):
        Source.read(path)


def test_comments_are_dropped_wherever_they_stand_and_may_be_repeated() -> None:
    tree, repeated = Source(
        Path("config.json"), '{"_a": 1, "_a": 2, "$schema": 3, "b": [{"_c": {"d": 1, "d": 2}, "e": 4}]}'
    ).parse()

    assert tree == {"b": [{"e": 4}]}
    assert repeated  # inside a comment: the place decides that it does not matter


def test_a_repeated_key_is_noticed() -> None:
    _, repeated = Source(Path("config.json"), '{"a": 1, "a": 2}').parse()
    assert repeated


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3),
        ("{'a': 1}", 1, 2),
        ('{"a": "\t"}', 1, 8),
        ("{} {}", 1, 4),
    ],
)
def test_what_is_no_json_is_refused_at_its_place(text: str, line: int, column: int) -> None:
    finding = refusal(text)

    assert finding.message.startswith("Invalid JSON: ")
    assert (finding.level, finding.line, finding.column) == ("error", line, column)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN}',
        '{"a": -Infinity}',
        f'{{"a": {"9" * 5000}}}',
        "[" * 65 + "]" * 65,
        "[" * 100_000,
        r'{"a": "\ud800"}',
        r'{"\udc00": 1}',
    ],
)
def test_json_that_nobody_can_mean_is_refused(text: str) -> None:
    assert refusal(text).message.startswith("Invalid JSON: ")


def test_pairs_of_surrogates_and_escaped_backslashes_are_fine() -> None:
    tree, _ = Source(Path("config.json"), r'{"a": "\ud83d\ude00", "b": "\\ud800"}').parse()
    assert tree == {"a": "😀", "b": "\\ud800"}
