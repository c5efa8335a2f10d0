"""Security headers: what every answer of a route has, or has not."""

from kairos.security.headers import AnswerHeaders


def test_lines_are_made_once_and_the_same_names_are_taken_from_the_backend() -> None:
    headers = AnswerHeaders.of((("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer")))

    assert headers.lines == b"X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n" == headers.secure_lines
    assert headers.names == (b"x-frame-options", b"referrer-policy")


def test_what_is_taken_away_has_a_name_and_no_line() -> None:
    assert AnswerHeaders.of((("Permissions-Policy", None),)) == AnswerHeaders(b"", b"", (b"permissions-policy",))


def test_strict_transport_security_is_for_tls_only_and_never_the_backends() -> None:
    headers = AnswerHeaders.of((("Strict-Transport-Security", "max-age=60"), ("X-Frame-Options", "DENY")))

    assert headers.for_client(is_secure=False) == b"X-Frame-Options: DENY\r\n"
    assert headers.for_client(is_secure=True) == b"Strict-Transport-Security: max-age=60\r\nX-Frame-Options: DENY\r\n"
    assert b"strict-transport-security" in headers.names


def test_without_settings_nothing_is_done() -> None:
    assert AnswerHeaders.of(()) == AnswerHeaders()
