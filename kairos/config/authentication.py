"""The rules about who may pass: keys that fit their algorithms, and routes whose credentials can be checked."""

from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from kairos.config.findings import Draft, JsonPath, quote
from kairos.config.model.security import ApiKeys, Auth, BasicAuth, Jwks, Jwt, PublicKey
from kairos.config.passwords import SOUND_WORK, read_hash
from kairos.config.signatures import HASH_BYTES, KIND_OF_ALGORITHM, RSA, SECRET, fitting, read_pem
from kairos.config.validate import Validated, in_router

HERE = ("localhost", "127.0.0.1", "::1")
BLOCKS = {"jwt": "jwt", "api_key": "api_keys", "basic": "basic_auth"}
"""Where the credentials of each scheme are described."""
RECOMMENDED = {RSA: "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


def authentication(validated: Validated) -> Iterator[Draft]:
    """Look at everything that is about who may pass."""
    config = validated.config
    if config is None:
        return
    yield from protected_routes(validated)
    if config.jwt is not None:
        yield from tokens(config.jwt, validated)
    if config.api_keys is not None:
        yield from api_keys(config.api_keys)
    if config.basic_auth is not None:
        yield from passwords(config.basic_auth)


def protected_routes(validated: Validated) -> Iterator[Draft]:
    """Look for routes that nobody could pass; each lack is told once."""
    told: set[str] = set()
    for path, router in validated.routers():
        is_public = router.auth is None and not router.auth_required
        if is_public or validated.is_in_doubt((*path, "auth", "schemes")):
            continue
        auth, key = router.auth or Auth(), "auth" if router.auth is not None else "auth_required"
        for scheme in auth.schemes:
            block = BLOCKS[scheme]
            is_there = getattr(validated.config, block) is not None or validated.is_in_doubt((block,))
            if is_there or block in told:
                continue
            told.add(block)
            yield Draft("error", (*path, key), *lack(scheme, block, path, is_short=router.auth is None))
        if auth.required_claims and (others := [scheme for scheme in auth.schemes if scheme != "jwt"]):
            message = in_router(path, f"Only tokens have claims: who comes with {others[0]} could never pass")
            yield Draft("error", (*path, "auth", "required_claims"), message, 'demand "scopes" or "roles" instead')


def lack(scheme: str, block: str, path: JsonPath, *, is_short: bool) -> tuple[str, str]:
    """Say what is missing, and the fix."""
    if scheme == "jwt" and is_short:
        fix = 'add "jwt": {"secret": "..."}; make the secret with: openssl rand -hex 32'
        return "JWT configuration is required when routes have auth_required=true", fix
    return in_router(path, f"The scheme {quote(scheme)} needs {quote(block)}"), f"add {quote(block)} to the file"


def tokens(jwt: Jwt, validated: Validated) -> Iterator[Draft]:
    """Look at how the keys of tokens and the algorithms go together."""
    path: JsonPath = ("jwt",)
    allowed = algorithms(jwt)
    if any(validated.is_in_doubt((*path, key)) for key in ("secret", "public_keys", "jwks", "algorithms")):
        return
    if jwt.secret is None and not jwt.public_keys and jwt.jwks is None:
        fix = 'add "secret", made with: openssl rand -hex 32; or "public_keys", or "jwks"'
        yield Draft("error", (*path, "secret"), "There is no key to check tokens with", fix)
        return
    if not allowed:
        fix = f'write for example "algorithms": [{quote(suggestion(jwt))}]'
        yield Draft("error", (*path, "algorithms"), "With public keys the accepted algorithms must be listed", fix)
        return
    unfit = [*secret(jwt, allowed)]
    for index, key in enumerate(jwt.public_keys):
        unfit += public_key(key, allowed, (*path, "public_keys", index, "key"))
    yield from unfit or useless(jwt, allowed)
    yield from double((*path, "public_keys"), "kid", [key.kid for key in jwt.public_keys])
    if jwt.jwks is not None and not any(validated.is_in_doubt((*path, "jwks", key)) for key in ("url", "file")):
        yield from published(jwt.jwks)
    yield from double((*path, "forward_claims"), None, [name.lower() for name in jwt.forward_claims.values()])


def algorithms(jwt: Jwt) -> tuple[str, ...]:
    """Return the accepted algorithms. Where nothing but a secret could be meant, HS256 need not be written."""
    listed = (jwt.algorithms,) if isinstance(jwt.algorithms, str) else tuple(dict.fromkeys(jwt.algorithms))
    return listed or (("HS256",) if not jwt.public_keys and jwt.jwks is None else ())


def suggestion(jwt: Jwt) -> str:
    """Return an algorithm that fits the first of the keys."""
    if not jwt.public_keys:
        return "RS256"
    return RECOMMENDED.get(read_pem(jwt.public_keys[0].key).kind, "EdDSA")


def secret(jwt: Jwt, allowed: tuple[str, ...]) -> Iterator[Draft]:
    """Look whether the secret is used, and long enough for it."""
    with_secret = fitting(SECRET, allowed)
    if jwt.secret is None:
        if with_secret:
            message = f"{with_secret[0]} needs a secret"
            yield Draft("error", ("jwt", "algorithms"), message, f'add "secret", or remove {with_secret[0]}')
        return
    if not with_secret:
        message = "None of the algorithms takes a secret"
        yield Draft("error", ("jwt", "secret"), message, 'add "HS256" to "algorithms", or remove the secret')
        return
    longest = max(HASH_BYTES[name] for name in with_secret)
    if len(jwt.secret.get_secret_value().encode()) < longest:
        name = next(name for name in with_secret if HASH_BYTES[name] == longest)
        message = f"JWT secret must have at least {longest} bytes for {name}"
        yield Draft("error", ("jwt", "secret"), message, f"make one with: openssl rand -hex {longest}")


def public_key(key: PublicKey, allowed: tuple[str, ...], path: JsonPath) -> Iterator[Draft]:
    """Look whether an algorithm takes a key."""
    kind = read_pem(key.key).kind
    if not fitting(kind, allowed):
        message = f"None of the algorithms takes this key, which is of the kind {kind}"
        fix = f'add "{RECOMMENDED.get(kind, "EdDSA")}" to "algorithms", or remove the key'
        yield Draft("error", path, message, fix)


def useless(jwt: Jwt, allowed: tuple[str, ...]) -> Iterator[Draft]:
    """Look for algorithms without a key. A set that is published may have any."""
    if jwt.jwks is not None:
        if not any(KIND_OF_ALGORITHM[name] != SECRET for name in allowed):
            message = "None of the algorithms takes a key of a published set"
            yield Draft("error", ("jwt", "algorithms"), message, 'add for example "RS256"')
        return
    kinds = {read_pem(key.key).kind for key in jwt.public_keys} | {SECRET}
    for name in allowed:
        if KIND_OF_ALGORITHM[name] not in kinds:
            message = f"There is no key for {name}, which takes one of the kind {KIND_OF_ALGORITHM[name]}"
            yield Draft("error", ("jwt", "algorithms"), message, f"add such a key, or remove {name}")


def published(jwks: Jwks) -> Iterator[Draft]:
    """Look at where a set of keys comes from."""
    path: JsonPath = ("jwt", "jwks")
    if (jwks.url is None) == (jwks.file is None):
        yield Draft("error", path, "A key set comes from a URL or from a file", 'write either "url" or "file"')
    elif jwks.url is not None:
        parts = urlsplit(jwks.url)
        if parts.scheme == "http" and parts.hostname not in HERE:
            message = "Keys that come over plain HTTP can be replaced on the way, and then anybody can sign"
            yield Draft("warning", (*path, "url"), message, f'write "https://{jwks.url.partition("://")[2]}"')


def api_keys(block: ApiKeys) -> Iterator[Draft]:
    """Look for keys that cannot be told apart."""
    path: JsonPath = ("api_keys", "keys")
    yield from double(path, "name", [key.name for key in block.keys])
    yield from double(path, "sha256", [key.sha256 for key in block.keys])


def passwords(block: BasicAuth) -> Iterator[Draft]:
    """Look for users that cannot be told apart, and for hashes that are easily broken."""
    yield from double(("basic_auth", "users"), "name", [user.name for user in block.users])
    for index, user in enumerate(block.users):
        if read_hash(user.password.get_secret_value()).work < SOUND_WORK:
            message = "This hash is quick to check, also for who has stolen it"
            fix = "make a new one with: kairos hash-password"
            yield Draft("warning", ("basic_auth", "users", index, "password"), message, fix)


def double(path: JsonPath, key: str | None, values: Iterable[str | None]) -> Iterator[Draft]:
    """Report the second of two that are the same."""
    values = list(values)
    for value, count in Counter(values).items():
        if value is None or count < 2:
            continue
        second = values.index(value, values.index(value) + 1)
        place = path if key is None else (*path, second, key)
        yield Draft("error", place, "The same stands here twice", "remove one of them, or change it")
