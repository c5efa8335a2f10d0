"""Option values, and what is said about wrong ones."""

import click
import pytest

from kairos.cli import values


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ("", None),
        ("debug", "debug"),
        ("Info", "info"),
        ("warn,kairos=debug", "debug"),
        ("kairos=debug,warn", "debug"),
        ("kairos::proxy=trace", "trace"),
        ("kairos_gateway=error", "error"),
        ("hyper=debug,warn", "warn"),
        ("hyper=debug", None),
        ("actix_web", None),
        (" info , tokio = trace ", "info"),
        ("info/some filter", "info"),
        ("off", "off"),
    ],
)
def test_rust_log_is_understood(given: str, level: str | None) -> None:
    assert values.level_from_rust_log(given) == level


def test_a_wrong_level_for_others_is_not_our_business() -> None:
    assert values.level_from_rust_log("tokio=loud,info") == "info"
    with pytest.raises(click.BadParameter, match="'loud' does not work; give one of"):
        values.level_from_rust_log("kairos=loud")


@pytest.mark.parametrize(("given", "host"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("localhost", "localhost")])
def test_a_host_may_stand_in_brackets(given: str, host: str) -> None:
    assert values.host(given) == host


@pytest.mark.parametrize("given", ["", "http://localhost", "local host", "[]"])
def test_a_host_is_neither_url_nor_empty(given: str) -> None:
    with pytest.raises(click.BadParameter, match="without scheme and port"):
        values.host(given)


@pytest.mark.parametrize("given", ["-1", "65536", "http", "80.0", "", "9" * 5000])
def test_a_port_is_a_number_of_sixteen_bits(given: str) -> None:
    with pytest.raises(click.BadParameter, match="from 0 to 65535"):
        values.port(given)


def test_a_duration_may_have_a_fraction() -> None:
    assert values.seconds("0.25") == 0.25
    assert values.seconds("0") == 0.0


@pytest.mark.parametrize("given", ["-1", "nan", "inf", "5s", ""])
def test_a_duration_is_finite_and_not_negative(given: str) -> None:
    with pytest.raises(click.BadParameter, match="number of seconds"):
        values.seconds(given)
