"""Which answers may be stored, and for how long they are fresh."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.traffic.caching.answers import Answer, Variants, decode
from kairos.traffic.caching.storing import Moments, NotStored, cookies, kept, updated, vary_fields
from tests.traffic.caching.heads import AT_ONCE, NOW, POLICY, WALL, request, response, stored

TTL = replace(POLICY, default_ttl=30.0)
NOW_AS_DATE = "Fri, 15 Jan 2027 08:00:00 GMT"
LATER_AS_DATE = "Fri, 15 Jan 2027 08:01:40 GMT"


def verdict(*lines: str, status: str = "200 OK", asked: tuple[str, ...] = (), is_known: bool = False) -> str:
    try:
        kept(request(*asked), response(*lines, status=status), POLICY, AT_ONCE, is_known=is_known)
    except NotStored as why:
        return str(why)
    return "stored"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Cache-Control: max-age=1"], "stored"),
        (["Cache-Control: s-maxage=1"], "stored"),
        ([f"Expires: {LATER_AS_DATE}", f"Date: {NOW_AS_DATE}"], "stored"),
        (["Cache-Control: no-cache", 'ETag: "a"'], "stored"),
        (["Cache-Control: no-cache"], "stale"),
        (["Cache-Control: max-age=0"], "stale"),
        (["Cache-Control: max-age=0", f"Last-Modified: {NOW_AS_DATE}"], "stored"),
        (["Expires: 0"], "stale"),
        ([f"Expires: {LATER_AS_DATE}", "Cache-Control: max-age=0"], "stale"),
        ([], "no-lifetime"),
        (["Cache-Control: public"], "no-lifetime"),
        (["Cache-Control: no-store, max-age=9"], "no-store"),
        (["Cache-Control: no-store, must-understand, max-age=9"], "stored"),
        (["Cache-Control: private, max-age=9"], "private"),
        (['Cache-Control: private="x-a", max-age=9'], "stored"),
        (["Cache-Control: max-age=9", "Set-Cookie: a=b"], "set-cookie"),
        (['Cache-Control: max-age=9, no-cache="set-cookie"', "Set-Cookie: a=b"], "stored"),
        (["Cache-Control: max-age=9", "Vary: *"], "vary"),
        (["Cache-Control: max-age=9", "Vary: a, *"], "vary"),
        (["Cache-Control: max-age=9", "Content-Type: text/event-stream"], "length"),
    ],
)
def test_storing(lines: list[str], expected: str) -> None:
    assert verdict(*lines) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [("200 OK", "stored"), ("302 Found", "stored"), ("500 Oops", "stored"), ("599 What", "stored"),
     ("206 Partial Content", "status"), ("304 Not Modified", "status")],
)  # fmt: skip
def test_statuses(status: str, expected: str) -> None:
    assert verdict("Cache-Control: max-age=1", status=status) == expected


def test_an_answer_that_ends_with_the_connection_is_not_stored() -> None:
    with pytest.raises(NotStored, match="length"):
        kept(request(), response("Cache-Control: max-age=1", length=""), POLICY, AT_ONCE, is_known=False)


@pytest.mark.parametrize("control", ["public", "s-maxage=9", "must-revalidate"])
def test_authorization(control: str) -> None:
    asked = ("Authorization: Basic eDp5",)

    assert verdict("Cache-Control: max-age=9", asked=asked) == "authorization"
    assert verdict("Cache-Control: max-age=9", is_known=True) == "authorization"
    assert verdict(f"Cache-Control: max-age=9, {control}", asked=asked) == "stored"


def test_a_client_that_wants_nothing_stored() -> None:
    asked = request("Cache-Control: no-store")
    answer = response("Cache-Control: max-age=9")

    kept(asked, answer, POLICY, AT_ONCE, is_known=False)
    with pytest.raises(NotStored):
        kept(asked, answer, replace(POLICY, obeys_clients=True), AT_ONCE, is_known=False)


@pytest.mark.parametrize(
    ("lines", "lifetime"),
    [
        (["Cache-Control: max-age=10, s-maxage=20"], 20),
        (["Cache-Control: max-age=10", f"Expires: {LATER_AS_DATE}"], 10),
        ([f"Expires: {LATER_AS_DATE}", f"Date: {NOW_AS_DATE}"], 100),
        ([f"Expires: {LATER_AS_DATE}"], 100),
        ([], 30),
        (["Cache-Control: public"], 30),
    ],
)
def test_lifetimes(lines: list[str], lifetime: float) -> None:
    assert stored(*lines, policy=TTL).stale_at == NOW + lifetime


def test_the_default_lifetime_is_for_listed_statuses() -> None:
    with pytest.raises(NotStored):
        stored(policy=TTL, status="302 Found")
    assert stored(policy=TTL, status="404 Not Found").stale_at == NOW + 30


def test_no_lifetime_is_longer_than_the_route_allows() -> None:
    assert stored("Cache-Control: max-age=100", policy=replace(POLICY, max_ttl=7.0)).stale_at == NOW + 7


@pytest.mark.parametrize(
    ("lines", "asked", "age"),
    [
        ([], 0.0, 0.0),
        ([], 3.0, 3.0),
        (["Age: 10"], 3.0, 13.0),
        (["Age: 10, 4"], 0.0, 10.0),
        (["Age: old"], 0.0, 0.0),
        (["Date: Fri, 15 Jan 2027 07:59:40 GMT"], 3.0, 20.0),
        ([f"Date: {LATER_AS_DATE}"], 3.0, 3.0),
        (["Date: Friday, 15-Jan-27 07:59:40 GMT"], 0.0, 20.0),
        (["Date: Fri Jan 15 07:59:40 2027"], 0.0, 20.0),
    ],
)
def test_ages(lines: list[str], asked: float, age: float) -> None:
    moments = Moments(NOW - asked, NOW, WALL)

    answer = stored("Cache-Control: max-age=1000", *lines, moments=moments)

    assert answer.born_at == NOW - age
    assert answer.age(NOW + 5) == int(age) + 5


@pytest.mark.parametrize(
    ("control", "revalidate", "error"),
    [
        ("max-age=10", 1, 2),
        ("max-age=10, stale-while-revalidate=5, stale-if-error=6", 5, 6),
        ("max-age=10, stale-while-revalidate=0", 0, 2),
        ("s-maxage=10", 0, 0),
        ("s-maxage=10, stale-while-revalidate=5", 5, 0),
        ("max-age=10, must-revalidate, stale-while-revalidate=5", 0, 0),
        ("max-age=10, proxy-revalidate", 0, 0),
    ],
)
def test_how_long_stale_answers_will_do(control: str, revalidate: float, error: float) -> None:
    policy = replace(POLICY, stale_while_revalidate=1.0, stale_if_error=2.0)

    answer = stored(f"Cache-Control: {control}", policy=policy)

    assert answer.revalidate_until == (NOW + 10 + revalidate if revalidate else 0)
    assert answer.error_until == (NOW + 10 + error if error else 0)


def test_no_cache_is_always_validated() -> None:
    policy = replace(TTL, stale_while_revalidate=1.0, stale_if_error=2.0)
    answer = stored("Cache-Control: no-cache, max-age=60", 'ETag: "a"', policy=policy)

    assert answer.stale_at == NOW
    assert answer.is_strict
    assert answer.revalidate_until == answer.error_until == 0


def test_what_is_kept_of_a_head() -> None:
    head = response(
        "Connection: close, X-Hop",
        "X-Hop: 1",
        'Cache-Control: max-age=9, private="X-Own", no-cache="Set-Cookie"',
        "X-Own: 1",
        "Set-Cookie: a=b",
        "Age: 3",
        "X-Kept: 1",
    )

    answer, _ = kept(request(), head, POLICY, AT_ONCE, is_known=False)

    assert answer.raw == (
        b'HTTP/1.1 200 OK\r\nCache-Control: max-age=9, private="X-Own", no-cache="Set-Cookie"\r\nX-Kept: 1\r\n'
        b"Date: Fri, 15 Jan 2027 08:00:00 GMT\r\n\r\n"
    )
    assert answer.completed(7).head.body_length == 7


def test_a_204_has_no_length() -> None:
    answer, _ = kept(
        request(), response("Cache-Control: max-age=9", status="204 No", length=""), POLICY, AT_ONCE, is_known=False
    )

    assert b"Content-Length" not in answer.completed(0).head.raw


@pytest.mark.parametrize(("value", "names"), [(None, ()), (b"B , a,,A", (b"a", b"b")), (b"", ())])
def test_vary_names_fields(value: bytes | None, names: tuple[bytes, ...]) -> None:
    assert vary_fields(value) == names


# Renewing.


def test_a_304_replaces_what_it_names() -> None:
    old = stored("Cache-Control: max-age=10", 'ETag: "1"', "X-A: old", "X-B: kept", "Content-Type: text/plain")
    later = Moments(NOW + 20, NOW + 21, WALL + 21)

    new = updated(
        old,
        response("X-A: new", "Cache-Control: max-age=5", "Content-Encoding: br", status="304 Not Modified", length=""),
        POLICY,
        later,
    )

    assert new.born_at == NOW + 20
    assert new.stale_at == NOW + 25
    assert b"X-A: new\r\n" in new.raw
    assert b"X-A: old" not in new.raw
    assert b"X-B: kept\r\n" in new.raw
    assert b"Content-Encoding" not in new.raw
    assert b"Date: Fri, 15 Jan 2027 08:00:21 GMT\r\n" in new.raw
    assert new.raw.startswith(b"HTTP/1.1 200 OK\r\n")
    assert new.etag == b'"1"'
    assert new.head.body_length == 5


def test_a_304_may_forbid_to_keep_it() -> None:
    old = stored("Cache-Control: max-age=10", 'ETag: "1"')

    for control in ("no-store", "private"):
        head = response(f"Cache-Control: {control}", status="304 Not Modified", length="")
        with pytest.raises(NotStored):
            updated(old, head, POLICY, AT_ONCE)


def test_a_304_renews_nothing_that_is_for_some_alone() -> None:
    old = stored("Cache-Control: public, max-age=10", 'ETag: "1"', "X-A: old", "X-B: old")
    lines = ("Set-Cookie: a=b", "X-A: new", "X-B: new", 'Cache-Control: public, max-age=5, private="X-A"')
    head = response(*lines, status="304 Not Modified", length="")

    new = updated(old, head, POLICY, AT_ONCE, is_private=True)

    assert b"Set-Cookie" not in new.raw
    assert b"X-A: old\r\n" in new.raw
    assert b"X-B: new\r\n" in new.raw
    assert cookies(head) == b"Set-Cookie: a=b\r\n"
    with pytest.raises(NotStored, match="authorization"):
        updated(stored("Cache-Control: max-age=10"), response("X-A: 1"), POLICY, AT_ONCE, is_private=True)


@pytest.mark.parametrize("vary", ["*", "X-A", "X-A, Accept"])
def test_a_304_that_varies_otherwise_renews_nothing(vary: str) -> None:
    old = stored("Cache-Control: max-age=10", 'ETag: "1"', "Vary: Accept")

    updated(old, response("Vary: accept", status="304 Not Modified", length=""), POLICY, AT_ONCE)
    with pytest.raises(NotStored, match="vary"):
        updated(old, response(f"Vary: {vary}", status="304 Not Modified", length=""), POLICY, AT_ONCE)


# Labels.


@given(
    st.tuples(*[st.floats(0, 1e10)] * 4),
    st.none() | st.binary(min_size=1, max_size=20),
    st.none() | st.just(b"Fri, 15 Jan 2027 08:00:00 GMT"),
    st.booleans(),
)
def test_what_is_encoded_is_decoded(
    moments: tuple[float, ...], etag: bytes | None, modified: bytes | None, is_strict: bool
) -> None:
    raw = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"
    answer = Answer(raw, *moments, etag, modified, is_strict=is_strict)

    found = decode(answer.encode(), 5)

    assert isinstance(found, Answer)
    assert found.head.body_length == 5
    for name in ("raw", "born_at", "stale_at", "revalidate_until", "error_until", "etag", "modified", "is_strict"):
        assert getattr(found, name) == getattr(answer, name)


def test_variants_are_decoded() -> None:
    found = decode(Variants(b"n" * 16, (b"accept", b"x-a")).encode(), 0)

    assert isinstance(found, Variants)
    assert (found.name, found.fields.names) == (b"n" * 16, (b"accept", b"x-a"))
