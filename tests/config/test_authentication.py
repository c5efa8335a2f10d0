"""Who may pass: what is accepted in the config, and what is said about the rest."""

from hashlib import sha256
from typing import Any

import pytest

from kairos.config.credentials import ApiKey, ApiKeys, Auth, BasicAuth, Claim, Jwt, KeySource, PublicKey, User
from kairos.config.document import Document
from tests.config.configs import AUTHORITY, SECRET, config, router
from tests.config.keys import key_set, pem, private_pem
from tests.config.operators import Operator

DIGEST = sha256(b"a random key").hexdigest()
HASH = "$scrypt$ln=15,r=8,p=3$N2d7J2V9ykWnQTVNCMJuXw$NrJPX0OL9Ot2TMZoX93SemGUZpIEVX4bXJ51feJUbgI"
KEY = {"name": "mobile", "sha256": DIGEST}
USER = {"name": "alice", "password": HASH}
LONG = SECRET + SECRET[::-1]


def jwt(**settings: Any) -> dict[str, Any]:
    """Make a config with a jwt block."""
    return config(jwt=settings)


def test_everything_about_tokens_reaches_the_workers(operator: Operator) -> None:
    (operator.folder / "key.pem").write_text(pem("RSA"))
    given = jwt(
        secret=LONG,
        public_keys=[{"key": {"file": "key.pem"}, "kid": "one"}, {"key": pem("P-256")}],
        jwks={"url": "https://id.example/keys", "refresh_seconds": 60},
        algorithms=["HS512", "RS256", "ES256", "RS256"],
        issuer=["me", "you"],
        audience="api",
        leeway_seconds=5,
        required_claims={"tenant": "acme", "level": [1, 2], "sub": None},
        cookie="session",
        query_parameter="access_token",
        scopes_claim="permissions",
        roles_claim="/realm_access/roles",
        forward_claims={"sub": "X-User-Id"},
    )
    document = operator.document(given)

    assert document.settings.jwt == Jwt(
        algorithms=("HS512", "RS256", "ES256"),
        secret=LONG,
        public_keys=(PublicKey(pem("RSA").strip(), "one"), PublicKey(pem("P-256"))),
        key_source=KeySource(url="https://id.example/keys", seconds=60.0),
        issuers=("me", "you"),
        audiences=("api",),
        leeway=5.0,
        required=(Claim("tenant", ("acme",)), Claim("level", (1, 2)), Claim("sub")),
        cookie="session",
        query="access_token",
        scopes_claim="permissions",
        roles_claim="/realm_access/roles",
        forwarded=(("sub", "X-User-Id"),),
    )
    assert Document.decode(document.encode()) == document
    assert LONG not in repr(document)


def test_a_secret_alone_means_the_usual_algorithm(operator: Operator) -> None:
    for given in (jwt(secret=SECRET), jwt(secret=SECRET, algorithm="HS256"), jwt(secret=SECRET, algorithms=["HS256"])):
        assert operator.document(given).settings.jwt == Jwt(("HS256",), SECRET)


def test_a_set_may_stand_in_a_file(operator: Operator) -> None:
    (operator.folder / "keys.json").write_text(key_set())
    document = operator.document(jwt(jwks={"file": "keys.json"}, algorithms=["ES256"]))

    found = document.settings.jwt
    assert found is not None
    assert found.key_source == KeySource(path=str(operator.folder / "keys.json"))
    assert found.key_set == key_set()


def test_keys_and_users_reach_the_workers(operator: Operator) -> None:
    document = operator.document(
        config(
            api_keys={
                "keys": [{**KEY, "expires": "2030-12-31T23:59:59Z", "scopes": ["read"], "roles": ["app"]}],
                "header": "X-Key",
                "query_parameter": "key",
            },
            basic_auth={"users": [{**USER, "roles": ["admin"], "scopes": ["all"]}], "realm": "the office"},
        )
    )

    key = ApiKey("mobile", DIGEST, 1924991999.0, ("read",), ("app",))
    assert document.settings.api_keys == ApiKeys((key,), "x-key", "key")
    assert document.settings.basic_auth == BasicAuth((User("alice", HASH, ("all",), ("admin",)),), "the office")
    assert Document.decode(document.encode()) == document
    assert DIGEST not in repr(document)
    assert HASH not in repr(document)


def test_a_route_says_what_it_asks_for(operator: Operator) -> None:
    auth = {"schemes": ["jwt", "jwt"], "scopes": ["read"], "roles": ["a", "b"], "required_claims": ["tenant"]}
    document = operator.document(
        config(router("/a"), router("/b", auth_required=True), router("/c", auth=auth), jwt={"secret": SECRET})
    )

    assert [route.auth for route in document.routes] == [
        None,
        Auth(),
        Auth(("jwt",), ("read",), ("a", "b"), (Claim("tenant"),)),
    ]
    assert [route.auth_required for route in document.routes] == [False, True, True]
    assert Document.decode(document.encode()) == document


@pytest.mark.parametrize(
    ("settings", "pointer", "message"),
    [
        ({}, "/jwt/secret", "There is no key to check tokens with"),
        ({"secret": SECRET, "algorithms": ["none"]}, "/jwt/algorithms/0", "Invalid JSON structure: expected 'HS256'"),
        ({"secret": SECRET, "algorithm": "none"}, "/jwt/algorithm", "Invalid JSON structure: expected 'HS256'"),
        (
            {"secret": SECRET, "algorithms": ["HS384"]},
            "/jwt/secret",
            "JWT secret must have at least 48 bytes for HS384",
        ),
        (
            {"secret": SECRET, "algorithms": ["HS256", "HS512"]},
            "/jwt/secret",
            "JWT secret must have at least 64 bytes for HS512",
        ),
        ({"secret": SECRET, "algorithms": ["RS256"]}, "/jwt/secret", "None of the algorithms takes a secret"),
        ({"secret": SECRET, "algorithms": ["HS256", "RS256"]}, "/jwt/algorithms", "There is no key for RS256"),
        (
            {"public_keys": [{"key": pem("RSA")}]},
            "/jwt/algorithms",
            "With public keys the accepted algorithms must be listed",
        ),
        ({"jwks": {"url": "https://a/"}}, "/jwt/algorithms", "With public keys the accepted algorithms must be listed"),
        (
            {"public_keys": [{"key": pem("RSA")}], "algorithms": ["ES256"]},
            "/jwt/public_keys/0/key",
            "None of the algorithms takes this key, which is of the kind RSA",
        ),
        (
            {"public_keys": [{"key": pem("P-384")}], "algorithms": ["ES256"]},
            "/jwt/public_keys/0/key",
            "None of the algorithms takes this key, which is of the kind P-384",
        ),
        (
            {"public_keys": [{"key": pem("RSA")}], "algorithms": ["RS256", "HS256"]},
            "/jwt/algorithms",
            "HS256 needs a secret",
        ),
        (
            {"public_keys": [{"key": pem("weak")}], "algorithms": ["RS256"]},
            "/jwt/public_keys/0/key",
            "The RSA key has 1024 bits; at least 2048 are needed",
        ),
        (
            {"public_keys": [{"key": pem("DSA")}], "algorithms": ["RS256"]},
            "/jwt/public_keys/0/key",
            "No signature algorithm takes a key of this kind",
        ),
        (
            {"public_keys": [{"key": pem("secp256k1")}], "algorithms": ["ES256"]},
            "/jwt/public_keys/0/key",
            "No signature algorithm takes a key of this kind",
        ),
        (
            {"public_keys": [{"key": private_pem("P-256")}], "algorithms": ["ES256"]},
            "/jwt/public_keys/0/key",
            "This is a private key, which belongs to who signs",
        ),
        (
            {"public_keys": [{"key": "key.pem"}], "algorithms": ["ES256"]},
            "/jwt/public_keys/0/key",
            "Not a public key in PEM",
        ),
        (
            {
                "public_keys": [{"key": pem("RSA"), "kid": "a"}, {"key": pem("P-256"), "kid": "a"}],
                "algorithms": ["RS256", "ES256"],
            },
            "/jwt/public_keys/1/kid",
            "The same stands here twice",
        ),
        ({"jwks": {}, "algorithms": ["RS256"]}, "/jwt/jwks", "A key set comes from a URL or from a file"),
        ({"jwks": {"url": "ftp://a/"}, "algorithms": ["RS256"]}, "/jwt/jwks/url", "Not a web address: ftp://a/"),
        (
            {"jwks": {"url": "https://u:p@a/"}, "algorithms": ["RS256"]},
            "/jwt/jwks/url",
            "The address has a user name in it",
        ),
        ({"jwks": {"file": "gone"}, "algorithms": ["RS256"]}, "/jwt/jwks/file", "Cannot read key set"),
        (
            {"jwks": {"url": "https://a/"}, "algorithms": ["HS256"], "secret": SECRET},
            "/jwt/algorithms",
            "None of the algorithms takes a key of a published set",
        ),
        ({"secret": SECRET, "issuer": ""}, "/jwt/issuer", "Invalid JSON structure: must not be empty"),
        ({"secret": SECRET, "audience": [""]}, "/jwt/audience/0", "Invalid JSON structure: must not be empty"),
        ({"secret": SECRET, "audience": 7}, "/jwt/audience", "Invalid JSON structure: expected a string"),
        (
            {"secret": SECRET, "required_claims": {"a": {}}},
            "/jwt/required_claims/a",
            "A claim is compared with a text, a number or a switch",
        ),
        (
            {"secret": SECRET, "required_claims": {"a": []}},
            "/jwt/required_claims/a",
            "A claim is compared with a text, a number or a switch",
        ),
        ({"secret": SECRET, "forward_claims": {"a": "X Y"}}, "/jwt/forward_claims/a", "Not a header name: X Y"),
        (
            {"secret": SECRET, "forward_claims": {"a": "Host"}},
            "/jwt/forward_claims/a",
            "The header Host has a meaning of its own",
        ),
        ({"secret": SECRET, "forward_claims": {"a": "X-A", "b": "x-a"}}, "/jwt/forward_claims", "The same stands here"),
        ({"secret": SECRET, "cookie": "a=b"}, "/jwt/cookie", "Not a plain name: a=b"),
    ],
)
def test_what_is_wrong_about_tokens_is_told(
    operator: Operator, settings: dict[str, Any], pointer: str, message: str
) -> None:
    ((found, text),) = operator.errors(jwt(**settings))

    assert found == pointer
    assert text.startswith(message)


def test_a_certificate_is_good_for_its_key(operator: Operator) -> None:
    given = jwt(public_keys=[{"key": AUTHORITY.read_text()}], algorithms=["RS256", "ES256"])
    messages = [message for _, message in operator.errors(given)]
    assert len(messages) == 1
    assert messages[0].startswith("There is no key for ")  # of the two kinds it is one


def test_a_set_in_a_file_is_looked_at(operator: Operator) -> None:
    (operator.folder / "keys.json").write_text('{"keys": []}')
    ((pointer, message),) = operator.errors(jwt(jwks={"file": "keys.json"}, algorithms=["ES256"]))
    assert (pointer, message.partition("': ")[2]) == (
        "/jwt/jwks/file",
        "The key set has no public key for signatures that can be used",
    )


def test_keys_over_plain_http_are_a_warning(operator: Operator) -> None:
    for url, count in (("http://id.example/", 1), ("http://localhost:80/", 0), ("https://id.example/", 0)):
        assert len(operator.warnings(jwt(jwks={"url": url}, algorithms=["ES256"]))) == count


@pytest.mark.parametrize(
    ("given", "pointer", "message"),
    [
        ({"api_keys": {"keys": [{**KEY, "sha256": "x"}]}}, "/api_keys/keys/0/sha256", "Not a SHA-256 in hex"),
        (
            {"api_keys": {"keys": [{**KEY, "sha256": sha256(b"secret\n").hexdigest()}]}},
            "/api_keys/keys/0/sha256",
            "This is the hash of a key that anybody would guess",
        ),
        (
            {"api_keys": {"keys": [KEY, {**KEY, "name": "other"}]}},
            "/api_keys/keys/1/sha256",
            "The same stands here twice",
        ),
        (
            {"api_keys": {"keys": [{**KEY, "expires": "2030-01-01T00:00:00"}]}},
            "/api_keys/keys/0/expires",
            "Not a time with its zone: 2030-01-01T00:00:00",
        ),
        ({"api_keys": {"keys": [], "header": "Cookie"}}, "/api_keys/header", "The header Cookie has a meaning"),
        (
            {"basic_auth": {"users": [{**USER, "password": "hunter2hunter2"}]}},
            "/basic_auth/users/0/password",
            "Not a hash of scrypt",
        ),
        ({"basic_auth": {"users": [USER, USER]}}, "/basic_auth/users/1/name", "The same stands here twice"),
        ({"basic_auth": {"users": [{**USER, "name": "a:b"}]}}, "/basic_auth/users/0/name", "A user name has neither"),
        ({"basic_auth": {"users": [], "realm": 'a"b'}}, "/basic_auth/realm", "A realm has only"),
    ],
)
def test_what_is_wrong_about_keys_and_users_is_told(
    operator: Operator, given: dict[str, Any], pointer: str, message: str
) -> None:
    ((found, text),) = operator.errors(config(**given))

    assert found == pointer
    assert text.startswith(message)
    assert "hunter2" not in str(operator.findings(config(**given)))


def test_a_hash_that_is_quick_to_check_is_a_warning(operator: Operator) -> None:
    user = {**USER, "password": HASH.replace("p=3", "p=1")}
    ((pointer, _),) = operator.warnings(config(basic_auth={"users": [user]}))
    assert pointer == "/basic_auth/users/0/password"


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("jwt", 'Router 0 validation failed: The scheme "jwt" needs "jwt"'),
        ("api_key", 'Router 0 validation failed: The scheme "api_key" needs "api_keys"'),
        ("basic", 'Router 0 validation failed: The scheme "basic" needs "basic_auth"'),
    ],
)
def test_a_route_cannot_ask_for_what_nobody_could_show(operator: Operator, scheme: str, message: str) -> None:
    assert operator.errors(config(router(auth={"schemes": [scheme]}))) == [("/routers/0/auth", message)]


def test_a_route_without_schemes_lets_nobody_through_and_is_refused(operator: Operator) -> None:
    ((pointer, _),) = operator.errors(config(router(auth={"schemes": []})))
    assert pointer == "/routers/0/auth/schemes"


def test_claims_cannot_be_demanded_of_api_keys(operator: Operator) -> None:
    auth = {"schemes": ["jwt", "api_key"], "required_claims": ["tenant"]}
    given = config(router(auth=auth), jwt={"secret": SECRET}, api_keys={"keys": [KEY]})
    ((pointer, message),) = operator.errors(given)
    assert pointer == "/routers/0/auth/required_claims"
    assert message.endswith("Only tokens have claims: who comes with api_key could never pass")
