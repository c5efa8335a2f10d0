"""What a request gets of a stored answer."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.traffic.caching.answers import Variants
from kairos.traffic.caching.conditions import is_unchanged, range_holds
from kairos.traffic.caching.keys import Keys, normal_value, place, variant_key
from kairos.traffic.caching.ranges import Span, span
from kairos.traffic.caching.serving import served
from kairos.traffic.caching.wishes import FACTS, NO_WISHES, Asked, Wishes, will_do, wishes
from tests.traffic.caching.heads import NOW, request, stored

DATE = "Fri, 15 Jan 2027 08:00:00 GMT"
EARLIER, LATER = "Fri, 15 Jan 2027 07:59:59 GMT", "Fri, 15 Jan 2027 08:00:01 GMT"
OLD = "Fri, 15 Jan 2027 07:58:00 GMT"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=2-", (2, 8)),
        (b"bytes=-3", (7, 3)),
        (b"bytes=-30", (0, 10)),
        (b"bytes=5-99", (5, 5)),
        (b"Bytes=5-6", (5, 2)),
        (b"bytes=0-3, 2-5,6-7", (0, 8)),
        (b"bytes=0-1,5-6", None),
        (b"bytes=10-", (0, 0)),
        (b"bytes=-0", (0, 0)),
        (b"bytes=20-30, 40-", (0, 0)),
        (b"bytes=20-, 1-2", (1, 2)),
        (b"bytes=3-2", None),
        (b"bytes=-", None),
        (b"bytes=", None),
        (b"lines=1-2", None),
        (b"bytes=a-b", None),
        (b"bytes=0-0," + b"2-2," * 40, None),
        (b"bytes=99999999999999999999-", None),
    ],
)
def test_ranges(field: bytes, expected: tuple[int, int] | None) -> None:
    assert span(field, 10) == (None if expected is None else Span(*expected))


ENDS = st.none() | st.integers(0, 40)


@given(st.lists(st.tuples(ENDS, ENDS), max_size=5), st.integers(0, 30))
def test_a_span_lies_within_the_body(ranges: list[tuple[int | None, int | None]], size: int) -> None:
    text = ",".join("-".join("" if end is None else str(end) for end in one) for one in ranges)

    found = span(b"bytes=" + text.encode(), size)

    if found is not None and found.size:
        assert 0 <= found.offset < found.offset + found.size <= size


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['If-None-Match: "1"'], True),
        (['If-None-Match: W/"1"'], True),
        (['If-None-Match: "0", "1"'], True),
        (["If-None-Match: *"], True),
        (['If-None-Match: "2"'], False),
        (["If-None-Match: 1"], False),
        (['If-None-Match: "2"', f"If-Modified-Since: {LATER}"], False),
        ([f"If-Modified-Since: {DATE}"], True),
        ([f"If-Modified-Since: {LATER}"], True),
        ([f"If-Modified-Since: {EARLIER}"], False),
        (["If-Modified-Since: yesterday"], False),
        ([], False),
    ],
)
def test_conditions(lines: list[str], expected: bool) -> None:
    asked = Asked(*FACTS.values(request(*lines).raw))
    answer = stored("Cache-Control: max-age=9", 'ETag: W/"1"', f"Last-Modified: {DATE}")

    assert is_unchanged(asked.none_match, asked.since, answer) is expected


def test_conditions_are_for_answers_that_are_ok() -> None:
    answer = stored("Cache-Control: max-age=9", 'ETag: "1"', status="404 Not Found")

    assert not is_unchanged(b'"1"', None, answer)


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [(None, True), (b'"1"', True), (b'W/"1"', False), (b'"2"', False), (OLD.encode(), True), (LATER.encode(), False)],
)
def test_if_range_compares_strongly(if_range: bytes | None, expected: bool) -> None:
    answer = stored("Cache-Control: max-age=9", 'ETag: "1"', f"Last-Modified: {OLD}", f"Date: {DATE}")

    assert range_holds(if_range, answer, DATE.encode()) is expected


def test_a_date_is_a_strong_validator_only_if_it_is_old() -> None:
    answer = stored("Cache-Control: max-age=9", f"Last-Modified: {EARLIER}", f"Date: {DATE}")

    assert not range_holds(EARLIER.encode(), answer, DATE.encode())


def test_a_304_without_an_etag_has_its_date() -> None:
    answer = stored("Cache-Control: max-age=9", f"Last-Modified: {DATE}", "Content-Type: a/b", f"Date: {DATE}")

    found = served(answer, request(), Asked(since=DATE.encode()))

    assert found.head.raw == (
        b"HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=9\r\nDate: %b\r\nLast-Modified: %b\r\n\r\n"
        % (DATE.encode(), DATE.encode())
    )
    assert found.size == 0


def test_a_range_of_an_error_is_the_whole() -> None:
    answer = stored("Cache-Control: max-age=9", status="404 Not Found")

    assert served(answer, request(), Asked(range=b"bytes=1-2")).head.status == 404


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], NO_WISHES),
        (["Cache-Control: "], NO_WISHES),
        (["Pragma: no-cache"], Wishes(max_age=-1.0)),
        (["Pragma: no-cache", "Cache-Control: max-age=5"], Wishes(max_age=5)),
        (["Cache-Control: no-cache"], Wishes(max_age=-1.0)),
        (["Cache-Control: max-stale"], Wishes(max_stale=inf)),
        (["Cache-Control: max-stale=5, min-fresh=3, only-if-cached"], Wishes(inf, 5.0, 3, is_stored=True)),
    ],
)
def test_wishes(lines: list[str], expected: Wishes) -> None:
    assert wishes(Asked(*FACTS.values(request(*lines).raw))) == expected


@pytest.mark.parametrize(
    ("wanted", "seconds", "expected"),
    [
        (NO_WISHES, 9.9, True),
        (NO_WISHES, 10.0, False),
        (Wishes(max_age=5), 5.0, True),
        (Wishes(max_age=5), 5.1, False),
        (Wishes(max_age=-1.0), 0.0, False),
        (Wishes(min_fresh=3), 6.9, True),
        (Wishes(min_fresh=3), 7.0, False),
        (Wishes(max_stale=2.0), 12.0, True),
        (Wishes(max_stale=2.0), 12.1, False),
        (Wishes(max_stale=inf, max_age=11), 12.0, False),
    ],
)
def test_which_answers_will_do(wanted: Wishes, seconds: float, expected: bool) -> None:
    assert will_do(stored("Cache-Control: max-age=10"), wanted, NOW + seconds) is expected


def test_a_strict_answer_is_never_stale() -> None:
    strict = stored("Cache-Control: max-age=10, must-revalidate")

    assert not will_do(strict, Wishes(max_stale=inf), NOW + 11)


# Keys.


def keys(query: tuple[str, ...] | None = None, *, by_host: bool = True) -> Keys:
    return Keys(b"r", query, by_host=by_host)


def test_what_tells_answers_apart() -> None:
    all_of_it = keys()

    assert all_of_it.key(b"A", b"/x?b&a", False) == all_of_it.key(b"a", b"/x?b&a", False)
    different = {
        all_of_it.key(host, target, is_secure)
        for host in (b"a", b"b")
        for target in (b"/x", b"/x?b&a", b"/x?a&b", b"/X")
        for is_secure in (False, True)
    }
    assert len(different) == 16
    assert Keys(b"s", None, by_host=True).key(b"a", b"/x", False) not in different


@pytest.mark.parametrize("target", [b"/x?b=2&a=1&a=0", b"/x?a=1&utm=5&b=2&a=0", b"/x?a=1&a=0&b=2&%75tm=1"])
def test_parameters_that_count_are_in_order(target: bytes) -> None:
    assert keys(("a", "b")).key(b"h", target, False) == keys().key(b"h", b"/x?a=1&a=0&b=2", False)


@pytest.mark.parametrize(
    "query", [b"id=2", b"ID=2", b"id[]=2", b"+id=2", b"%69d%5B0%5D=2", b"utm=1;id=2", b"a.b=2", b"a+b=2"]
)
def test_a_parameter_that_some_backend_reads_counts(query: bytes) -> None:
    some = keys(("id", "a_b"))

    assert query in some.key(b"h", b"/x?utm=1&" + query, False)
    assert some.key(b"h", b"/x?" + query + b"&utm=1", False) == some.key(b"h", b"/x?" + query, False)
    assert some.key(b"h", b"/x?" + query + b"0", False) != some.key(b"h", b"/x?" + query, False)


def test_no_parameter_counts() -> None:
    assert keys(()).key(b"h", b"/x?a=1", False) == keys().key(b"h", b"/x", False)


def test_a_place_has_no_port() -> None:
    assert place(b"Example.com:80", b"/a") == b"example.com/a"
    assert place(b"[::1]:80", b"/a") == b"[::1]/a"
    assert place(b"[::1]", b"/a") == b"[::1]/a"


def test_values_that_mean_the_same_are_the_same() -> None:
    one, other = b"gzip,  BR;q=0.5 ,,", b"br; q=0.5, gzip"
    assert normal_value(b"accept-encoding", one) == normal_value(b"accept-encoding", other)
    assert normal_value(b"accept-language", b"de ,en") == b"de,en"
    assert normal_value(b"accept-language", b"en,de") != b"de,en"


def test_no_value_takes_long() -> None:
    long = b"a" + b" " * 60_000 + b"b"

    assert normal_value(b"accept-language", long) == long
    assert normal_value(b"accept-encoding", long) == b"ab"


def test_variants() -> None:
    by = Variants(b"n" * 16, (b"accept", b"x-a"))
    texts = (["Accept: 1"], ["Accept: 1", "X-A: "], ["X-A: 1"], [], ["Accept: ", "X-A: 1"])

    assert len({variant_key(by, request(*lines)) for lines in texts}) == len(texts)
    assert variant_key(by, request("X-B: 1")) == variant_key(by, request())
    assert variant_key(Variants(b"m" * 16, (b"accept", b"x-a")), request()) != variant_key(by, request())
