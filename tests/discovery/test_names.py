"""When a name is asked for again, and what holds meanwhile."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.discovery.names import LONGEST_RETRY, MIN_SECONDS, MOST_ADDRESSES, Answer, Name

A, B, C, SIX = "10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::1"


def v4(*addresses: str, ttl: float = 30.0) -> Answer:
    return Answer(addresses, (), ttl)


def both(four: tuple[str, ...], six: tuple[str, ...]) -> Answer:
    return Answer(four, six, 30.0)


def told(answer: Answer, name: Name | None = None, now: float = 0.0, chance: float = 0.0) -> Name:
    name = name or Name()
    name.asked(now)
    name.answered(answer, now, chance)
    return name


# When to ask.


def test_a_new_name_is_due() -> None:
    assert Name().is_due(-1e9)


def test_a_question_under_way_is_not_asked_twice() -> None:
    name = Name()
    name.asked(0.0)
    assert not name.is_due(100.0)


def test_an_answer_holds_for_its_ttl() -> None:
    name = told(v4(A, ttl=30.0))
    assert not name.is_due(29.9)
    assert name.is_due(30.0)


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(0.0, MIN_SECONDS), (0.5, MIN_SECONDS), (3.0, 5.0), (7.0, 7.0), (1e6, 60.0)]
)
def test_a_ttl_is_kept_within_bounds(ttl: float, seconds: float) -> None:
    name = told(v4(A, ttl=ttl), Name(5.0 if ttl > 1 else 0.0, 60.0))
    assert name.due_at == seconds


@pytest.mark.parametrize(("ttl", "due_at"), [(1.0, 1.1), (4.0, 4.4), (60.0, 60.5)])
def test_names_that_run_out_together_are_not_asked_for_together(ttl: float, due_at: float) -> None:
    assert told(v4(A, ttl=ttl), chance=1.0).due_at == pytest.approx(due_at)


def test_failures_are_further_and_further_apart() -> None:
    name, now, waits = told(v4(A, ttl=1.0)), 1.0, []
    for _ in range(6):
        name.asked(now)
        name.failed(now, 0.0)
        waits.append(name.due_at - now)
        now = name.due_at

    assert waits == [1.0, 2.0, 4.0, LONGEST_RETRY, LONGEST_RETRY, LONGEST_RETRY]
    name.asked(now)
    name.answered(v4(A, ttl=1.0), now, 0.0)
    assert not name.is_failing
    assert name.due_at == now + 1.0


# What holds.


def test_an_answer_brings_addresses_and_says_whether_they_are_new() -> None:
    name = Name()
    assert name.answered(v4(A, B), 0.0, 0.0)
    assert name.addresses == (A, B)
    assert not name.answered(v4(B, A, A), 1.0, 0.0)  # in turns, as name servers do
    assert name.answered(v4(B, C), 2.0, 0.0)
    assert name.addresses == (B, C)


def test_the_last_good_answer_is_kept() -> None:
    name = told(v4(A))
    name.failed(30.0, 0.0)
    assert (name.addresses, name.is_failing) == ((A,), True)


def test_an_answer_without_addresses_is_a_failure() -> None:
    name = told(v4(A))
    assert not name.answered(v4(), 30.0, 0.0)
    assert (name.addresses, name.is_failing) == ((A,), True)


def test_a_family_of_which_nothing_is_told_stays_as_it_was() -> None:
    name = told(both((A,), (SIX,)))
    assert not name.answered(Answer(None, (SIX,), 30.0), 30.0, 0.0)
    assert name.addresses == (A,)


def test_addresses_are_not_without_end() -> None:
    many = told(v4(*(f"10.0.{i >> 8}.{i & 255}" for i in range(3000))))
    assert len(many.addresses) == MOST_ADDRESSES


# Connections that fail.


def test_a_refused_connection_makes_the_name_due_at_once_but_not_more_than_once_a_second() -> None:
    name = told(v4(A, ttl=300.0))

    assert not name.refused(A, 10.0)
    assert name.is_due(10.0)

    told(v4(A, ttl=300.0), name, 10.0)
    name.refused(A, 10.2)
    assert not name.is_due(10.9)
    assert name.is_due(11.0)


def test_a_question_that_was_asked_before_the_connection_failed_is_asked_again() -> None:
    name = Name()
    name.asked(0.0)
    name.refused(A, 0.1)
    name.answered(v4(A, ttl=300.0), 0.2, 0.0)
    assert name.due_at == MIN_SECONDS


def test_a_name_server_that_is_down_is_not_asked_more_often() -> None:
    name = told(v4(A, ttl=1.0))
    for now in (1.0, 2.0, 4.0):
        name.asked(now)
        name.failed(now, 0.0)
    name.refused(A, 5.5)
    assert not name.is_due(7.9)


# Two families.


def test_ipv4_is_used_first() -> None:
    assert told(both((A,), (SIX,))).addresses == (A,)
    assert told(both((), (SIX,))).addresses == (SIX,)


def test_the_other_family_is_used_when_no_address_of_the_one_can_be_connected_to() -> None:
    name = told(both((A, B), (SIX,)))

    assert not name.refused(A, 1.0)
    assert name.refused(B, 1.0)

    assert name.addresses == (SIX,)
    told(both((A, B), (SIX,)), name, 2.0)
    assert name.addresses == (SIX,)


def test_an_address_that_was_reached_meanwhile_keeps_its_family() -> None:
    name = told(both((A, B), (SIX,)))
    name.refused(A, 1.0)
    name.reached(A)
    assert not name.refused(B, 1.0)


def test_families_change_back_and_forth_once_a_second_at_most() -> None:
    name = told(both((A,), (SIX,)))
    assert name.refused(A, 1.0)
    assert not name.refused(SIX, 1.5)
    assert name.refused(SIX, 2.0)
    assert name.addresses == (A,)


EVENTS = st.one_of(
    st.builds(
        Answer,
        st.none() | st.lists(st.sampled_from([A, B, C]), max_size=3).map(tuple),
        st.none() | st.lists(st.sampled_from([SIX, "2001:db8::2"]), max_size=2).map(tuple),
        st.floats(0, 1e6),
    ),
    st.just("fails"),
    st.sampled_from([A, B, SIX]),
)


@given(st.lists(st.tuples(EVENTS, st.floats(0, 5), st.floats(0, 1)), max_size=40))
def test_whatever_happens_the_wait_is_bounded_and_what_is_known_is_never_lost(
    events: list[tuple[Answer | str, float, float]],
) -> None:
    name, now, asked = Name(1.0, 60.0), 0.0, []
    for event, seconds, chance in events:
        now += seconds
        before = name.addresses
        if event in (A, B, SIX):
            changed = name.refused(str(event), now)
        elif name.is_due(now):
            asked.append(now)
            name.asked(now)
            changed = isinstance(event, Answer) and name.answered(event, now, chance)
            if event == "fails":
                name.failed(now, chance)
        else:
            continue
        assert changed == (name.addresses != before)
        assert name.addresses or not before
        assert name.due_at <= now + 60.5
        assert len({":" in address for address in name.addresses}) <= 1
    assert all(later - earlier >= MIN_SECONDS for earlier, later in pairwise(asked))
