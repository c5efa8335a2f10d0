"""Tokens are verified by the keys and rules of the operator, whatever they say themselves."""

import base64
import json
from collections.abc import Callable
from typing import Any

import hypothesis
import jwt as pyjwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import strategies as st

from kairos.config.credentials import Claim, Jwt, PublicKey
from kairos.security import cache
from kairos.security.claims import Rules
from kairos.security.keys import KeyRing, SecretKey, published
from kairos.security.refusals import Unauthenticated, Unverifiable
from kairos.security.tokens import TokenVerifier
from tests.security.asking import NOW, SECRET, WALL, segment, signed, token
from tests.security.test_compact import EXAMPLE

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
CLAIMS = {"sub": "alice", "exp": int(WALL) + 3600}


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def verifier(*algorithms: str, **settings: Any) -> TokenVerifier:
    return TokenVerifier.of(Jwt(algorithms or ("HS256",), **{"secret": SECRET, **settings}))


def reason(checker: TokenVerifier, text: bytes, wall: float = WALL) -> str:
    """Return why a token is refused; it is so by both halves."""
    with pytest.raises(Unauthenticated) as looked:
        checker.look(text, wall)
    with pytest.raises(Unauthenticated) as taken:
        checker.take(text, NOW, wall)
    assert (looked.value.reason, looked.value.message) == (taken.value.reason, "Invalid or expired token")
    return taken.value.reason


def test_a_good_token_tells_who_comes() -> None:
    grant = verifier().take(token(scope="read write", roles=["admin", 7]), NOW, WALL)

    assert (grant.identity.subject, grant.identity.scheme) == ("alice", "jwt")
    assert grant.identity.claims["scope"] == "read write"
    assert (grant.scopes, grant.roles) == ({"read", "write"}, {"admin"})


def test_the_example_of_the_standard_is_verified() -> None:
    """RFC 7515 appendix A.1, which is RFC 7519 section 3.1 too."""
    secret = base64.urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    )
    rules = Rules(frozenset(), frozenset(), 0.0, ())
    checker = TokenVerifier(FixedRing(KeyRing([SecretKey(secret, ("HS256",))])), rules, ("HS256",))

    grant = checker.take(EXAMPLE, NOW, 1300819379.0)

    assert grant.identity.claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    assert reason(checker, EXAMPLE, 1300819380.0) == "token_expired"


def test_the_keys_of_the_standards_examples_verify_them() -> None:
    """RFC 7515 appendices A.2 and A.3, RFC 8037 appendix A.4."""
    keys = {
        "RS256": {
            "kty": "RSA",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
            "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
            "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"
            "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
            "e": "AQAB",
        },
        "ES256": {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        "EdDSA": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    }
    texts = {
        "RS256": EXAMPLE.replace(EXAMPLE.split(b".")[0], b"eyJhbGciOiJSUzI1NiJ9").rpartition(b".")[0]
        + b".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds"
        b"9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRm"
        b"B_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98r"
        b"qVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        "ES256": EXAMPLE.replace(EXAMPLE.split(b".")[0], b"eyJhbGciOiJFUzI1NiJ9").rpartition(b".")[0]
        + b".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    }
    rules = Rules(frozenset(), frozenset(), 0.0, ())
    for algorithm, text in texts.items():
        ring = KeyRing(published(orjson.dumps({"keys": [keys[algorithm]]}), (algorithm,)))
        checker = TokenVerifier(FixedRing(ring), rules, (algorithm,))
        assert checker.take(text, NOW, 1300819379.0).identity.claims["iss"] == "joe"
    (key,) = published(orjson.dumps({"keys": [keys["EdDSA"]]}), ("EdDSA",))
    text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg=="
    assert key.verifies("EdDSA", text, base64.urlsafe_b64decode(signature))


class FixedRing:
    """Keys that stay."""

    version = 0

    def __init__(self, ring: KeyRing | None) -> None:
        self.ring = ring

    def misses(self, kid: str | None) -> bool:
        return False

    def wants(self, kid: str | None, now: float) -> None:
        pass


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("HS384", SECRET), ("HS512", SECRET), ("RS256", RSA), ("RS384", RSA), ("RS512", RSA), ("PS256", RSA),
        ("PS384", RSA), ("PS512", RSA), ("ES256", P256), ("ES384", P384), ("EdDSA", ED),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_every_algorithm_verifies_with_its_key(algorithm: str, key: Any) -> None:
    text = pyjwt.encode(CLAIMS, key, algorithm).encode()
    keys = {"secret": SECRET} if key is SECRET else {"secret": None, "public_keys": (PublicKey(pem(key)),)}
    checker = verifier(algorithm, **keys)

    assert checker.take(text, NOW, WALL).identity.subject == "alice"
    body, _, signature = text.rpartition(b".")
    changed = bytes((signature[0] ^ 1 if signature[0] not in b"/_" else signature[0] - 1,)) + signature[1:]
    assert reason(checker, body + b"." + changed) in ("token_signature", "token_malformed")
    assert reason(verifier("HS256"), text) == "token_algorithm"


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (lambda: segment(b'{"alg":"none"}') + b"." + segment(orjson.dumps(CLAIMS)) + b".", "token_algorithm"),
        (lambda: token(header={"alg": "NONE"}), "token_algorithm"),
        (lambda: token(header={"alg": "hs256"}), "token_algorithm"),
        (lambda: token(header={"alg": "HS512"}), "token_algorithm"),
        (lambda: token(secret="another-secret-of-32-bytes-or-so"), "token_signature"),
        (lambda: token(secret=""), "token_signature"),
        (lambda: token(header={"jwk": {"kty": "oct", "k": "AAAA"}}, secret="\0\0\0"), "token_signature"),
        (lambda: token(header={"jku": "https://evil.example/keys", "kid": "evil"}, secret="evil"), "token_signature"),
        (lambda: token(header={"x5u": "https://evil.example/", "x5c": ["AAAA"]}, secret="evil"), "token_signature"),
        (lambda: token(header={"kid": "../../dev/null"}, secret=""), "token_signature"),
        (lambda: token(header={"kid": "' UNION SELECT 'evil"}, secret="evil"), "token_signature"),
        (lambda: token(header={"crit": ["exp"]}), "token_malformed"),
        (lambda: token(header={"kid": ["a"]}), "token_malformed"),
        (lambda: token()[:-4], "token_signature"),
        (lambda: token().rpartition(b".")[0] + b".", "token_signature"),
        (lambda: token().rpartition(b".")[0], "token_malformed"),
        (lambda: b"\xff" * 40, "token_malformed"),
        (lambda: b"." * 10_000, "token_malformed"),
        (lambda: token(padding="x" * 20_000), "token_malformed"),
        (lambda: signed(b'{"alg":"HS256"}', b'{"exp":9999999999,"sub":"alice","sub":"root"}'), "token_malformed"),
        (lambda: signed(b'{"alg":"HS256"}', b'[{"exp":9999999999}]'), "token_malformed"),
        (lambda: signed(b'{"alg":"HS256"}', b"not JSON"), "token_malformed"),
        (lambda: signed(b'{"alg":"HS256"}', b'{"exp":1e999}'), "token_malformed"),
    ],
)
def test_known_attacks_fail(attack: Callable[[], bytes], why: str) -> None:
    assert reason(verifier(), attack()) == why


def test_a_public_key_is_never_a_secret() -> None:
    both = verifier("RS256", "HS256", public_keys=(PublicKey(pem(RSA), "one"),))

    assert reason(both, token(secret=pem(RSA))) == "token_signature"
    assert reason(both, token(secret=pem(RSA), header={"kid": "one"})) == "token_signature"
    alone = verifier("RS256", secret=None, public_keys=(PublicKey(pem(RSA)),))
    assert reason(alone, token(secret=pem(RSA))) == "token_algorithm"


def test_the_name_of_a_key_chooses_among_ours() -> None:
    first, second = ec.generate_private_key(ec.SECP256R1()), P256
    keys = (PublicKey(pem(first), "one"), PublicKey(pem(second), "two"))
    checker = verifier("ES256", secret=None, public_keys=keys)

    for kid in ("two", None):
        text = pyjwt.encode(CLAIMS, second, "ES256", headers={"kid": kid} if kid else None).encode()
        assert checker.take(text, NOW, WALL).identity.subject == "alice"
    assert reason(checker, pyjwt.encode(CLAIMS, second, "ES256", headers={"kid": "one"}).encode()) == "token_signature"
    assert reason(checker, pyjwt.encode(CLAIMS, second, "ES256", headers={"kid": "x"}).encode()) == "token_key"


def test_an_algorithm_takes_the_curve_that_is_its_own() -> None:
    checker = verifier("ES256", "ES384", secret=None, public_keys=(PublicKey(pem(P384)),))
    forged = pyjwt.encode(CLAIMS, P384, "ES384").encode().split(b".")
    forged[0] = segment(b'{"alg":"ES256"}')

    assert reason(checker, b".".join(forged)) == "token_key"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": None}, "token_claim"),
        ({"exp": "9999999999"}, "token_claim"),
        ({"exp": True}, "token_claim"),
        ({"exp": [9999999999]}, "token_claim"),
        ({"exp": int(WALL) - 60}, "token_expired"),
        ({"exp": -1}, "token_expired"),
        ({"nbf": int(WALL) + 61}, "token_not_yet_valid"),
        ({"nbf": "0"}, "token_claim"),
        ({"iat": int(WALL) + 61}, "token_not_yet_valid"),
        ({"iat": {}}, "token_claim"),
        ({"sub": 7}, "token_claim"),
        ({"sub": ["alice"]}, "token_claim"),
        ({"iss": 7}, "token_issuer"),
        ({"iss": ["a"]}, "token_issuer"),
        ({"aud": 7}, "token_audience"),
        ({"aud": ["a", 7]}, "token_audience"),
        ({"aud": {"a": 1}}, "token_audience"),
    ],
)
def test_claims_that_do_not_hold_are_refused(claims: dict[str, Any], why: str) -> None:
    assert reason(verifier(), token(**claims)) == why


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(WALL) - 59}, {"exp": WALL + 0.5}, {"nbf": int(WALL) + 60}, {"iat": int(WALL) + 60}, {"iat": None},
        {"sub": None}, {"iss": "anybody"}, {"aud": "anything"}, {"aud": ["a", "b"]}, {"aud": []},
    ],
)  # fmt: skip
def test_claims_that_nobody_asks_about_do_not_matter(claims: dict[str, Any]) -> None:
    assert verifier().take(token(**claims), NOW, WALL)


def test_issuer_and_audience_are_enforced_when_they_are_configured() -> None:
    checker = verifier(issuers=("me", "you"), audiences=("api", "web"))

    assert checker.take(token(iss="you", aud="web"), NOW, WALL)
    assert checker.take(token(iss="me", aud=["else", "api"]), NOW, WALL)
    assert reason(checker, token(aud="api")) == "token_issuer"
    assert reason(checker, token(iss="them", aud="api")) == "token_issuer"
    assert reason(checker, token(iss="me")) == "token_audience"
    assert reason(checker, token(iss="me", aud="ap")) == "token_audience"
    assert reason(checker, token(iss="me", aud=[])) == "token_audience"


@pytest.mark.parametrize(
    ("claim", "good", "bad"),
    [
        (Claim("tenant"), {"tenant": "x"}, {}),
        (Claim("tenant"), {"tenant": 0}, {"tenant": None}),
        (Claim("tenant", ("acme",)), {"tenant": "acme"}, {"tenant": "acm"}),
        (Claim("level", (2, 3)), {"level": 3}, {"level": 1}),
        (Claim("level", (1,)), {"level": 1.0}, {"level": True}),
        (Claim("groups", ("dev",)), {"groups": ["ops", "dev"]}, {"groups": ["ops"]}),
        (Claim("/realm/name", ("acme",)), {"realm": {"name": "acme"}}, {"realm": "acme"}),
        (Claim("https://a.example/x"), {"https://a.example/x": 1}, {"https:": {}}),
    ],
)
def test_claims_can_be_demanded(claim: Claim, good: dict[str, Any], bad: dict[str, Any]) -> None:
    checker = verifier(required=(claim,))

    assert checker.take(token(**good), NOW, WALL)
    assert reason(checker, token(**bad)) == "token_claim"


def test_scopes_and_roles_stand_where_the_operator_says() -> None:
    checker = verifier(scopes_claim="permissions", roles_claim="/realm_access/roles")

    grant = checker.take(token(permissions=["a", "b"], scope="c", realm_access={"roles": ["admin"]}), NOW, WALL)

    assert (grant.scopes, grant.roles) == ({"a", "b"}, {"admin"})
    assert verifier().take(token(scp=["a"]), NOW, WALL).scopes == {"a"}
    assert verifier().take(token(scope={"a": 1}, roles="admin"), NOW, WALL).roles == {"admin"}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("alice", b"X-It: alice\r\n"),
        (7, b"X-It: 7\r\n"),
        (True, b"X-It: true\r\n"),
        (["a", "b"], b'X-It: ["a","b"]\r\n'),
        ("a\r\nX-Admin: 1", b'X-It: "a\\r\\nX-Admin: 1"\r\n'),
        ("ä\x7f", b'X-It: "\\u00e4\\u007f"\r\n'),
        (" a", b'X-It: " a"\r\n'),
        ("x" * 5000, b""),
        (None, b""),
    ],
)
def test_claims_are_told_so_that_they_can_stand_in_a_header(value: Any, line: bytes) -> None:
    checker = verifier(forwarded=(("it", "X-It"),))
    assert checker.take(token(it=value), NOW, WALL).lines == line


def test_what_was_verified_is_remembered_but_not_beyond_its_end() -> None:
    checker = verifier()
    text = token()

    first = checker.take(text, NOW, WALL)

    assert checker.take(text, NOW, WALL + 3599) is first
    late = checker.take(text, NOW, WALL + 3601)  # within the leeway it is verified anew
    assert late is not first
    assert reason(checker, text, WALL + 3660) == "token_expired"


def test_a_bad_token_is_not_remembered_and_a_look_remembers_nothing() -> None:
    checker = verifier()
    reason(checker, token(secret="x"))
    checker.look(token(), WALL)

    assert len(checker._remembered) == 0


def test_many_tokens_need_bounded_memory() -> None:
    checker = verifier()
    for number in range(cache.MAX_ENTRIES + 1000):
        checker.take(token(sub=str(number)), NOW, WALL)

    assert len(checker._remembered) <= cache.MAX_ENTRIES


class ChangingKeys:
    """Keys that are fetched."""

    def __init__(self) -> None:
        self.ring: KeyRing | None = None
        self.version = 0
        self.is_fetching = False
        self.wanted: list[str | None] = []

    def misses(self, kid: str | None) -> bool:
        return self.is_fetching

    def wants(self, kid: str | None, now: float) -> None:
        self.wanted.append(kid)

    def become(self, *secrets: str) -> None:
        self.ring = KeyRing([SecretKey(secret.encode(), ("HS256",)) for secret in secrets])
        self.version += 1


def test_while_there_are_no_keys_nobody_is_told_that_the_token_is_bad() -> None:
    checker = TokenVerifier.of(Jwt(("HS256",)), ChangingKeys())

    with pytest.raises(Unverifiable) as refused:
        checker.take(token(), NOW, WALL)
    assert (refused.value.status, refused.value.reason) == (503, "keys_unavailable")
    assert reason(checker, b"x.y.z") == "token_malformed"
    assert reason(checker, token(header={"alg": "none"})) == "token_algorithm"


def test_other_keys_let_forget_what_was_verified_by_the_old_ones() -> None:
    keys = ChangingKeys()
    keys.become(SECRET)
    checker = TokenVerifier.of(Jwt(("HS256",)), keys)
    assert checker.take(token(), NOW, WALL)

    keys.become("another-secret-of-32-bytes-or-so")

    assert reason(checker, token()) == "token_signature"


def test_an_unknown_name_asks_for_the_keys_and_a_look_does_not() -> None:
    keys = ChangingKeys()
    keys.become("another-secret-of-32-bytes-or-so")
    checker = TokenVerifier.of(Jwt(("HS256",)), keys)
    text = token(header={"kid": "new"})

    with pytest.raises(Unauthenticated):
        checker.look(text, WALL)
    assert keys.wanted == []
    keys.is_fetching = True
    with pytest.raises(Unverifiable):
        checker.take(text, NOW, WALL)
    assert keys.wanted == ["new"]


GOOD = token(scope="read", roles=["user"])
STEADY = verifier()


@hypothesis.given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_whatever_letter_is_changed_the_token_is_refused(place: int, letter: int) -> None:
    changed = GOOD[:place] + bytes((letter,)) + GOOD[place + 1 :]
    if changed != GOOD:
        assert reason(STEADY, changed).startswith("token_")


@hypothesis.given(st.integers(0, len(GOOD) - 1), st.integers(0, len(GOOD)), st.binary(max_size=3))
def test_whatever_is_cut_out_or_put_in_the_token_is_refused(start: int, end: int, new: bytes) -> None:
    changed = GOOD[:start] + new + GOOD[max(start, end) :]
    if changed != GOOD:
        assert reason(STEADY, changed).startswith("token_")


@hypothesis.given(
    st.dictionaries(
        st.sampled_from(["exp", "nbf", "iat", "iss", "aud", "sub", "scope", "scp", "roles", "tenant"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
        | st.lists(st.text(max_size=5) | st.integers(), max_size=3) | st.dictionaries(st.text(), st.integers()),
    )
)  # fmt: skip
def test_whatever_claims_are_signed_the_answer_is_yes_or_no(claims: dict[str, Any]) -> None:
    checker = verifier(issuers=("me",), audiences=("api",), required=(Claim("tenant", ("acme",)),))
    text = signed(b'{"alg":"HS256"}', json.dumps(claims).encode())
    try:
        grant = checker.take(text, NOW, WALL)
    except Unauthenticated:
        return
    assert claims["iss"] == "me"
    assert grant.identity.subject == claims.get("sub", "")


def test_the_same_claims_in_another_writing_are_the_same() -> None:
    text = json.dumps({"exp": WALL + 60, "sub": "ä", "tenant": ["x", "acme"]}, indent=1)
    checker = verifier(required=(Claim("tenant", ("acme",)),))
    assert checker.take(signed(b'{ "alg" : "HS256" }', text.encode()), NOW, WALL).identity.subject == "ä"
