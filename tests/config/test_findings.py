"""How findings read."""

from kairos.config.findings import Finding, pointer, summary


def test_a_finding_reads_like_the_line_of_a_compiler() -> None:
    message = "Port must be between 1 and 65535"
    finding = Finding("error", "/routers/0/port", message, "0", "use 8080", 12, 5, "config.json")

    assert str(finding) == (
        "config.json:12:5: error: /routers/0/port: Port must be between 1 and 65535 (value: 0). Fix: use 8080"
    )


def test_a_finding_without_place_value_and_fix_is_short() -> None:
    assert str(Finding("warning", "", "something")) == "config: warning: something"


def test_pointers_escape_what_has_a_meaning_in_them() -> None:
    assert pointer(("a/b", "m~n", 3)) == "/a~1b/m~0n/3"
    assert pointer(()) == ""


def test_a_summary_counts_each_level() -> None:
    error, warning = Finding("error", "", "e"), Finding("warning", "", "w")

    assert summary([error, warning, warning]) == "1 error, 2 warnings"
    assert summary([]) == "ok"
