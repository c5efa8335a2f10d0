"""What a request says of itself."""

import pytest

from kairos.config.policies import RequestChecks as Settings
from kairos.security.checks import RequestChecks
from tests.asking import Question, question

SCANNERS = Settings(user_agents=("sqlmap", "Nikto", "b.rp"))
TYPES = Settings(content_types=("application/json", "Text/*"))


def status(settings: Settings, asked: Question) -> int:
    subject = RequestChecks(settings)
    reply = subject.take(asked)
    assert subject.look(asked) == reply or reply is not None
    return reply.status if reply is not None else 200


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (b"sqlmap/1.7#stable", 403),
        (b"Mozilla/5.0 (SQLMAP)", 403),
        (b"nikto", 403),
        (b"burp", 200),
        (b"b.rp", 403),
        (b"curl/8", 200),
    ],
)
def test_programs_are_refused_by_a_part_of_their_name(agent: bytes, expected: int) -> None:
    assert status(SCANNERS, question(b"User-Agent: " + agent)) == expected


def test_who_says_no_name_may_pass() -> None:
    assert status(SCANNERS, question()) == 200


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((b"Content-Length: 2", b"Content-Type: application/json; charset=utf-8"), 200),
        ((b"Content-Length: 2", b"content-type: TEXT/plain"), 200),
        ((b"Transfer-Encoding: chunked", b"Content-Type: application/json"), 200),
        ((b"Content-Length: 2", b"Content-Type: application/jsonp"), 415),
        ((b"Content-Length: 2", b"Content-Type: application/xml"), 415),
        ((b"Content-Length: 2", b"Content-Type: text/plain, application/xml"), 415),
        ((b"Content-Length: 2", b"Content-Type: textual/x"), 415),
        ((b"Content-Length: 2",), 415),
        ((b"Transfer-Encoding: chunked",), 415),
        ((b"Content-Length: 0",), 200),
        ((), 200),
    ],
)
def test_a_body_has_one_of_the_types(lines: tuple[bytes, ...], expected: int) -> None:
    assert status(TYPES, question(*lines, method=b"POST")) == expected


def test_a_refusal_says_what_is_wrong() -> None:
    reply = RequestChecks(TYPES).take(question(b"Content-Length: 1", method=b"PUT"))
    assert reply is not None
    assert reply.error is not None
    assert (reply.error.message, reply.error.reason) == ("Unsupported Content-Type", "unsupported_content_type")


def test_without_settings_everything_passes() -> None:
    assert status(Settings(), question(b"User-Agent: sqlmap", b"Content-Length: 1", method=b"POST")) == 200
