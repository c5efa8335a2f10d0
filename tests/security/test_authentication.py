"""The filter: who may pass, and what the others are told."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from kairos.config.credentials import ApiKey, ApiKeys, Auth, BasicAuth, Claim, Jwt, User
from kairos.config.passwords import Hash
from kairos.errors import Overloaded
from kairos.filters import LocalReply
from kairos.security.api_keys import ApiKeyCheck
from kairos.security.authentication import Authentication, PasswordAuthentication, Scheme
from kairos.security.basic import BasicCheck
from kairos.security.bearer import Bearer
from kairos.security.rights import Rights
from kairos.security.tokens import TokenVerifier
from tests.security.asking import SECRET, WALL, Question, ask, bearer, token

KEY = b"5f0c8d7b6a59483726150f4e3d2c1b0a"


def jwt(**settings: Any) -> Bearer:
    found = Jwt(("HS256",), SECRET, **settings)
    return Bearer(TokenVerifier.of(found), found)


def api_keys(**settings: Any) -> ApiKeyCheck:
    keys = (
        ApiKey("mobile", sha256(KEY).hexdigest(), scopes=("read",)),
        ApiKey("old", sha256(b"old").hexdigest(), expires=WALL),
    )
    return ApiKeyCheck(ApiKeys(keys, **settings))


def authentication(*schemes: Scheme, **auth: Any) -> Authentication:
    return Authentication(schemes or (jwt(),), Rights(Auth(**auth)), lambda: WALL)


def refused(reply: LocalReply | None) -> tuple[int, str, bytes]:
    assert reply is not None
    assert reply.error is not None
    return reply.status, reply.error.message, reply.lines


def both(checks: Authentication, question: Question) -> LocalReply | None:
    """Ask both halves, which say the same; the first changes nothing."""
    looked = checks.look(question)
    assert (question.identity, question.lines, question.request_lines) == (None, b"", b"")
    taken = checks.take(question)
    assert (looked is None) == (taken is None)
    if looked is not None:
        assert refused(looked) == refused(taken)
        assert question.identity is None
    return taken


PLAIN = b'WWW-Authenticate: Bearer realm="kairos"\r\n'
NO_TOKEN = (
    b'WWW-Authenticate: Bearer realm="kairos", error="invalid_token", '
    b'error_description="This is not a signed token"\r\n'
)
MALFORMED = b'WWW-Authenticate: Bearer realm="kairos", error="invalid_request"\r\n'


@pytest.mark.parametrize(
    ("fields", "message", "lines"),
    [
        ((), "Missing Authorization header", PLAIN),
        ((b"Authorization: Basic YTpi",), "Authorization header must start with 'Bearer '", PLAIN),
        ((b"Authorization: ",), "Authorization header must start with 'Bearer '", PLAIN),
        ((b"Authorization: Bearer",), "Invalid Authorization header format", MALFORMED),
        ((b"Authorization: Bearer ",), "Invalid Authorization header format", MALFORMED),
        ((b"Authorization: Bearer a b",), "Invalid Authorization header format", MALFORMED),
        ((b"Authorization: Bearer a", b"Authorization: Bearer b"), "Invalid Authorization header format", MALFORMED),
        (
            (b"Authorization: Bearer a.b.c",),
            "Invalid or expired token",
            NO_TOKEN,
        ),
    ],
)
def test_who_shows_no_good_token_is_told_what_is_wrong(fields: tuple[bytes, ...], message: str, lines: bytes) -> None:
    assert refused(both(authentication(), ask(*fields))) == (401, message, lines)


def test_who_shows_a_good_token_is_known_from_then_on() -> None:
    question = bearer(token())

    assert both(authentication(jwt(forwarded=(("sub", "X-User-Id"),))), question) is None

    assert question.identity is not None
    assert question.identity.subject == "alice"
    assert question.request_lines == b"X-User-Id: alice\r\n"


def test_the_name_of_the_scheme_may_have_capitals_or_not() -> None:
    assert both(authentication(), ask(b"authorization: bEARER  " + token())) is None


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE"])
def test_every_method_needs_a_token(method: bytes) -> None:
    assert refused(both(authentication(), ask(method=method)))[0] == 401
    assert both(authentication(), bearer(token(), method=method)) is None


def test_a_token_may_come_in_a_cookie_or_a_parameter_if_that_is_configured() -> None:
    text = token()
    in_cookie, in_query = ask(b"Cookie: a=1; session=" + text), ask(target=b"/a?access_token=" + text)
    checks = authentication(jwt(cookie="session", query="access_token"))

    assert both(checks, in_cookie) is None
    assert both(checks, in_query) is None
    assert refused(both(checks, ask()))[1] == "A credential is needed here"
    for question in (ask(b"Cookie: session=" + text), ask(target=b"/a?access_token=" + text)):
        assert refused(both(authentication(), question))[0] == 401


def test_the_header_comes_before_the_cookie() -> None:
    question = ask(b"Authorization: Bearer x", b"Cookie: session=" + token())
    assert refused(both(authentication(jwt(cookie="session")), question))[0] == 401


@pytest.mark.parametrize(
    ("auth", "claims", "may"),
    [
        ({"scopes": ("read",)}, {"scope": "write read"}, True),
        ({"scopes": ("read", "write")}, {"scope": "read"}, False),
        ({"scopes": ("read",)}, {}, False),
        ({"scopes": ("read",)}, {"scope": "readonly"}, False),
        ({"roles": ("admin", "ops")}, {"roles": ["ops"]}, True),
        ({"roles": ("admin", "ops")}, {"roles": ["user"]}, False),
        ({"roles": ("admin",)}, {"roles": "admin"}, True),
        ({"required": (Claim("tenant", ("acme",)),)}, {"tenant": "acme"}, True),
        ({"required": (Claim("tenant", ("acme",)),)}, {"tenant": "other"}, False),
    ],
)
def test_a_route_demands_rights(auth: dict[str, Any], claims: dict[str, Any], may: bool) -> None:
    reply = both(authentication(**auth), bearer(token(**claims)))

    assert (reply is None) == may
    if not may:
        assert refused(reply)[0] == 403


def test_a_lack_of_scopes_is_told_in_the_words_of_the_standard() -> None:
    _, message, lines = refused(both(authentication(scopes=("read", "write")), bearer(token())))

    assert message == "The credential lacks a scope that is needed here"
    assert lines == b'WWW-Authenticate: Bearer realm="kairos", error="insufficient_scope", scope="read write"\r\n'


def test_an_api_key_is_found_by_its_hash() -> None:
    checks = authentication(api_keys(), scopes=("read",))
    question = ask(b"X-Api-Key: " + KEY)

    assert both(checks, question) is None
    assert question.identity is not None
    assert (question.identity.subject, question.identity.scheme) == ("mobile", "api_key")
    challenge = b'WWW-Authenticate: ApiKey realm="kairos", header="x-api-key"\r\n'
    assert refused(both(checks, ask())) == (401, "A credential is needed here", challenge)
    assert refused(both(checks, ask(b"X-Api-Key: " + KEY[:-1]))) == (401, "Invalid or expired API key", challenge)
    assert refused(both(checks, ask(b"X-Api-Key: old")))[0] == 401
    assert refused(both(checks, ask(b"X-Api-Key: " + KEY, b"X-Api-Key: " + KEY)))[0] == 401
    assert refused(both(checks, ask(b"X-Api-Key: " + sha256(KEY).hexdigest().encode())))[0] == 401


def test_an_api_key_may_come_in_another_header_or_a_parameter() -> None:
    checks = authentication(api_keys(header="x-key", query="key"))

    assert both(checks, ask(b"X-Key: " + KEY)) is None
    assert both(checks, ask(target=b"/a?key=" + KEY)) is None
    assert refused(both(checks, ask(b"X-Api-Key: " + KEY)))[0] == 401


def test_one_of_several_credentials_is_enough_but_a_bad_one_is_not_made_good() -> None:
    checks = authentication(jwt(), api_keys())

    assert both(checks, bearer(token())) is None
    assert both(checks, ask(b"X-Api-Key: " + KEY)) is None
    status, _, lines = refused(both(checks, ask(b"Authorization: Bearer x", b"X-Api-Key: " + KEY)))
    assert (status, lines.count(b"WWW-Authenticate: ")) == (401, 2)
    assert refused(both(checks, ask()))[2].count(b"error=") == 0


class Pool:
    """Checks passwords at once, or not at all."""

    def __init__(self) -> None:
        self.is_full = False
        self.checks = 0

    async def run(self, key: bytes, check: Callable[[], bool]) -> bool:
        if self.is_full:
            raise Overloaded(1)
        self.checks += 1
        return check()


def cheap(password: bytes) -> str:
    """Hash a password as weakly as one can."""
    empty = Hash(2, 1, 1, b"salt-of-16-bytes", bytes(32))
    return str(Hash(2, 1, 1, empty.salt, empty.of(password)))


def basic(text: str) -> Question:
    return ask(b"Authorization: Basic " + b64encode(text.encode()))


@pytest.fixture
def pool() -> Pool:
    return Pool()


def passwords(pool: Pool, *others: Scheme, **auth: Any) -> PasswordAuthentication:
    users = (User("alice", cheap("pä:ss".encode()), roles=("admin",)), User("bob", cheap(b"")))
    check = BasicCheck(BasicAuth(users, "the realm"), pool, b"k" * 32)
    return PasswordAuthentication(authentication(check, *others, **auth), check, lambda: WALL)


def answer(checks: PasswordAuthentication, question: Question) -> LocalReply | None:
    return asyncio.run(checks.wait(question)) if checks.must_wait(question) else checks.take(question)


def test_a_password_is_checked_once_and_then_remembered(pool: Pool) -> None:
    checks = passwords(pool, roles=("admin",))
    for _ in range(3):
        question = basic("alice:pä:ss")
        assert answer(checks, question) is None
        assert question.identity is not None
        assert (question.identity.subject, question.identity.scheme) == ("alice", "basic")

    assert pool.checks == 1
    assert checks.look(basic("alice:pä:ss")) is None


@pytest.mark.parametrize("text", ["alice:wrong", "alice:", "alice:PÄ:SS", "nobody:pä:ss", ":", "Alice:pä:ss"])
def test_a_wrong_password_is_refused_whoever_is_named_and_costs_as_much(pool: Pool, text: str) -> None:
    checks = passwords(pool)
    for _ in range(2):
        status, message, lines = refused(answer(checks, basic(text)))
        assert (status, message) == (401, "Invalid user name or password")
        assert lines == b'WWW-Authenticate: Basic realm="the realm", charset="UTF-8"\r\n'

    assert pool.checks == 2


@pytest.mark.parametrize("value", [b"Basic", b"Basic ", b"Basic !", b"Basic YQ", b"Basic YWxpY2U=", b"Basic YTpi YTpi"])
def test_what_is_no_name_and_password_costs_nothing(pool: Pool, value: bytes) -> None:
    assert refused(answer(passwords(pool), ask(b"Authorization: " + value)))[0] == 401
    assert pool.checks == 0


def test_who_comes_when_too_many_wait_is_told_to_come_again(pool: Pool) -> None:
    pool.is_full = True
    assert refused(answer(passwords(pool), basic("alice:pä:ss")))[0] == 503


def test_a_token_on_a_route_with_passwords_does_not_wait(pool: Pool) -> None:
    checks = passwords(pool, jwt())

    assert not checks.must_wait(bearer(token()))
    assert checks.take(bearer(token())) is None
    assert refused(checks.take(ask()))[2].count(b"WWW-Authenticate") == 2
    assert pool.checks == 0
