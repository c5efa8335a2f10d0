"""Buckets: each kind of limit does what it says, whoever counts, however many there are, whoever is killed."""

import contextlib
import mmap
import os
import random
import signal
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kairos._speedups
from kairos._speedups import COMPILED, GUARD_CELLS, Cells, GuardedCells, _guarded_py, _marks_py, mark
from kairos._speedups import buckets as compiled
from kairos._speedups.buckets import (
    FIXED,
    LEAST_CELLS,
    LOG,
    LONGEST_LOG,
    PANES,
    TOKENS,
    Buckets,
    Limit,
    Verdict,
)

SECOND = 10**9
START = 1_000_000 * SECOND
KEY = b"0123456789abcdef"
KINDS = (TOKENS, FIXED, LOG, PANES)


class Memory:
    """Memory for buckets, and the number of those that were pushed out too early."""

    def __init__(self, cells: int = LEAST_CELLS) -> None:
        self.bytes = (GUARD_CELLS + cells) * 8
        self.fd = os.memfd_create("buckets")
        os.ftruncate(self.fd, self.bytes)
        self.row = Cells(bytearray(8), -1)
        self.cells = GuardedCells(mmap.mmap(self.fd, self.bytes), self.fd)
        self.buckets = Buckets(self.cells, self.row, 0)

    @property
    def forgotten(self) -> int:
        return self.row.load(0)


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory()
    yield memory
    os.close(memory.fd)


@pytest.fixture
def buckets(memory: Memory) -> Buckets:
    return memory.buckets


def take(buckets: Buckets, limit: Limit, now: float, client: bytes = b"client") -> Verdict:
    return buckets.take((limit,), (mark(KEY, client),), START + round(now * SECOND))


def allowed(buckets: Buckets, limit: Limit, now: float, times: int, client: bytes = b"client") -> int:
    return sum(take(buckets, limit, now, client).is_allowed for _ in range(times))


# What each kind does.


@pytest.mark.parametrize("kind", KINDS)
def test_two_and_one_more_are_let_through_and_the_fourth_is_not(buckets: Buckets, kind: int) -> None:
    limit = Limit(kind, 2, 1, 60)

    verdicts = [take(buckets, limit, 0) for _ in range(4)]

    assert [verdict.is_allowed for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert take(buckets, limit, 0, b"another").is_allowed


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_let_through_where_nothing_is_allowed(buckets: Buckets, kind: int) -> None:
    verdict = take(buckets, Limit(kind, 0, 0, 60), 0)

    assert not verdict.is_allowed
    assert verdict.wait > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_one_is_let_through_when_the_verdict_has_said(buckets: Buckets, kind: int) -> None:
    limit = Limit(kind, 5, 0, 10)
    for second in range(5):
        assert take(buckets, limit, second).is_allowed
    refused = take(buckets, limit, 5)
    while refused.is_allowed:
        refused = take(buckets, limit, 5)
    names = (mark(KEY, b"client"),)

    assert not buckets.look((limit,), names, START + 5 * SECOND + refused.wait - 1).is_allowed
    assert buckets.look((limit,), names, START + 5 * SECOND + refused.wait).is_allowed


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_as_at_first_when_the_verdict_has_said(buckets: Buckets, kind: int) -> None:
    limit = Limit(kind, 5, 3, 10)
    allowed(buckets, limit, 0, 8)
    reset = take(buckets, limit, 3).reset / SECOND

    assert allowed(buckets, limit, 3 + reset, 20) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_looking_says_the_same_as_taking_and_counts_nothing(buckets: Buckets, kind: int) -> None:
    limit, names = Limit(kind, 3, 0, 60), (mark(KEY, b"client"),)
    for _ in range(5):
        looks = [buckets.look((limit,), names, START) for _ in range(3)]
        taken = buckets.take((limit,), names, START)
        for look in looks:
            for field in ("is_allowed", "number", "remaining", "reset", "wait"):
                assert getattr(look, field) == getattr(taken, field)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_given_back_is_there_again(buckets: Buckets, kind: int) -> None:
    limit, names = Limit(kind, 3, 0, 60), (mark(KEY, b"client"),)
    buckets.give_back((limit,), names, START)
    assert allowed(buckets, limit, 0, 4) == 3

    buckets.give_back((limit,), names, START)
    buckets.give_back((limit,), names, START)

    assert allowed(buckets, limit, 0, 4) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_whose_clock_is_late_counts_as_well(buckets: Buckets, kind: int) -> None:
    limit = Limit(kind, 4, 0, 60)

    assert allowed(buckets, limit, 0.25, 2) + allowed(buckets, limit, 0, 10) == 4


def test_tokens_come_back_evenly(buckets: Buckets) -> None:
    limit = Limit(TOKENS, 10, 5, 10)
    assert allowed(buckets, limit, 0, 50) == 15

    assert [allowed(buckets, limit, second, 5) for second in (0.9, 1, 1.5, 4)] == [0, 1, 0, 3]


def test_a_fixed_window_begins_with_the_first_request(buckets: Buckets) -> None:
    limit = Limit(FIXED, 2, 0, 10)
    assert [allowed(buckets, limit, second, 2) for second in (3, 12.9, 13, 22.9, 23)] == [2, 0, 2, 0, 2]


def test_a_window_that_slides_forgets_each_request_by_itself(buckets: Buckets) -> None:
    limit = Limit(LOG, 3, 0, 10)
    assert [allowed(buckets, limit, second, 2) for second in (0, 4, 9.9, 10, 13.9, 14, 20)] == [2, 1, 0, 2, 0, 1, 2]


def test_a_pane_counts_a_64th_of_the_window_longer_at_most(buckets: Buckets) -> None:
    limit = Limit(PANES, 3000, 0, 64)
    assert allowed(buckets, limit, 0.5, 4000) == 3000

    assert [allowed(buckets, limit, second, 1) for second in (63, 64.4, 64.99)] == [0, 0, 0]
    assert allowed(buckets, limit, 65, 4000) == 3000


def test_a_log_has_room_for_as_many_as_it_may_have(memory: Memory) -> None:
    limit = Limit(LOG, LONGEST_LOG, 0, 10)
    assert allowed(memory.buckets, limit, 0, LONGEST_LOG + 10) == LONGEST_LOG

    assert allowed(memory.buckets, limit, 10, LONGEST_LOG + 10) == LONGEST_LOG
    with pytest.raises(ValueError, match="log"):
        Limit(LOG, LONGEST_LOG, 1, 10)


@pytest.mark.parametrize("kind", (TOKENS, FIXED, PANES))
@pytest.mark.parametrize(("requests", "burst", "seconds"), [(2**64, 2**64, 2**32), (1, 2**64, 2**32), (0, 5, 2**32)])
def test_the_largest_numbers_do_not_overflow(
    buckets: Buckets, kind: int, requests: int, burst: int, seconds: int
) -> None:
    limit = Limit(kind, requests, burst, seconds)

    assert allowed(buckets, limit, 0, 10) == min(10, limit.most)
    assert take(buckets, limit, 10**9).reset > 0


def test_a_limit_that_is_lowered_goes_on_counting(buckets: Buckets) -> None:
    for kind in KINDS:
        client = b"%d" % kind
        allowed(buckets, Limit(kind, 100, 0, 60), 0, 50, client)

        left = 5 if kind == TOKENS else 0  # half of the tokens are used, whatever their number
        assert allowed(buckets, Limit(kind, 10, 0, 60), 1, 10, client) == left
        assert allowed(buckets, Limit(kind, 10, 0, 60), 70, 20, client) == 10


# Against plain models of the rules.


def token_model(requests: int, burst: int, seconds: int) -> Callable[[int], bool]:
    step = seconds * SECOND // requests  # the tests take numbers that divide
    tokens = [(requests + burst) * step, 0]

    def take(now: int) -> bool:
        full = (requests + burst) * step
        tokens[:] = [min(tokens[0] + now - tokens[1], full), now]
        if tokens[0] < step:
            return False
        tokens[0] -= step
        return True

    return take


def log_model(requests: int, burst: int, seconds: int) -> Callable[[int], bool]:
    moments: deque[int] = deque()

    def take(now: int) -> bool:
        while moments and moments[0] + seconds * SECOND <= now:
            moments.popleft()
        if len(moments) >= requests + burst:
            return False
        moments.append(now)
        return True

    return take


def fixed_model(requests: int, burst: int, seconds: int) -> Callable[[int], bool]:
    window = [-1, 0]

    def take(now: int) -> bool:
        if window[0] < 0 or now >= window[0] + seconds * SECOND:
            window[:] = [now, 0]
        if window[1] >= requests + burst:
            return False
        window[1] += 1
        return True

    return take


def pane_model(requests: int, burst: int, seconds: int) -> Callable[[int], bool]:
    width, panes = seconds * SECOND // 64, [0]
    panes.clear()

    def take(now: int) -> bool:
        if sum(pane >= now // width - 64 for pane in panes) >= requests + burst:
            return False
        panes.append(now // width)
        return True

    return take


MODELS = {TOKENS: token_model, LOG: log_model, FIXED: fixed_model, PANES: pane_model}


@pytest.mark.parametrize("kind", KINDS)
@given(
    requests=st.sampled_from([1, 2, 5, 10, 40]),
    burst=st.integers(0, 20),
    pauses=st.lists(st.one_of(st.just(0.0), st.floats(0, 3), st.floats(0, 100)), max_size=150),
)
@settings(deadline=None)
def test_it_does_what_the_model_does(kind: int, requests: int, burst: int, pauses: list[float]) -> None:
    memory, seconds, now = Memory(), 64, START
    model, limit, names = MODELS[kind](requests, burst, seconds), Limit(kind, requests, burst, seconds), mark(KEY, b"c")
    for pause in pauses:
        now += round(pause * SECOND)
        assert memory.buckets.take((limit,), (names,), now).is_allowed == model(now)
    os.close(memory.fd)


# Several limits at once.


def test_a_request_counts_for_all_limits_or_for_none(buckets: Buckets) -> None:
    few, many = Limit(FIXED, 3, 0, 60), Limit(LOG, 10, 0, 60)
    names = (mark(KEY, b"few"), mark(KEY, b"many"))

    verdicts = [buckets.take((few, many), names, START) for _ in range(6)]

    assert [verdict.is_allowed for verdict in verdicts] == [True] * 3 + [False] * 3
    assert {verdict.number for verdict in verdicts} == {0}
    assert buckets.look((many,), names[1:], START).remaining == 6


def test_of_those_that_refuse_the_longest_wait_tells(buckets: Buckets) -> None:
    limits = (Limit(FIXED, 1, 0, 10), Limit(FIXED, 1, 0, 30), Limit(FIXED, 1, 0, 20))
    names = (mark(KEY, b"1"), mark(KEY, b"2"), mark(KEY, b"3"))
    buckets.take(limits, names, START)

    verdict = buckets.take(limits, names, START)

    assert (verdict.is_allowed, verdict.number, verdict.wait) == (False, 1, 30 * SECOND)


def test_of_those_that_allow_the_one_with_least_left_tells(buckets: Buckets) -> None:
    limits = (Limit(FIXED, 9, 0, 10), Limit(TOKENS, 5, 0, 30), Limit(PANES, 7, 0, 20))
    names = (mark(KEY, b"1"), mark(KEY, b"2"), mark(KEY, b"3"))

    verdict = buckets.take(limits, names, START)

    assert (verdict.is_allowed, verdict.number, verdict.remaining) == (True, 1, 4)


# Memory.


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_used_most_is_kept_when_many_come(memory: Memory, kind: int) -> None:
    limit = Limit(kind, 50, 0, 600)
    heavy = [b"heavy %d" % number for number in range(8)]
    for client in heavy:
        assert allowed(memory.buckets, limit, 0, 60, client) == 50

    for number in range(30_000 if kind != PANES else 8_000):
        memory.buckets.take((limit,), (mark(KEY, b"%d" % number),), START + SECOND)

    assert memory.forgotten > 0
    assert [allowed(memory.buckets, limit, 2, 1, client) for client in heavy] == [0] * 8


def test_who_owes_nothing_goes_first_and_is_not_counted(memory: Memory) -> None:
    limit = Limit(FIXED, 10, 0, 1)
    for number in range(20_000):
        memory.buckets.take((limit,), (mark(KEY, b"%d" % number),), START + number * SECOND // 1000)

    assert memory.forgotten == 0


@pytest.mark.parametrize("kind", (TOKENS, LOG))
def test_a_million_clients_take_no_more_memory_than_there_is(kind: int) -> None:
    memory = Memory(cells=1 << 18)  # 2 MiB
    limit, clients = Limit(kind, 100, 0, 60), 1_000_000 if COMPILED else 20_000
    for number in range(clients):
        assert memory.buckets.take((limit,), (mark(KEY, b"%d" % number),), START).is_allowed

    assert os.fstat(memory.fd).st_size == memory.bytes
    assert os.fstat(memory.fd).st_blocks * 512 <= memory.bytes + 4096
    os.close(memory.fd)


def test_memory_is_used_only_where_somebody_was_counted() -> None:
    memory = Memory(cells=1 << 23)
    for number in range(100):
        take(memory.buckets, Limit(LOG, 100, 0, 60), 0, b"%d" % number)

    assert os.fstat(memory.fd).st_blocks * 512 < memory.bytes // 20
    os.close(memory.fd)


def test_too_little_memory_is_refused(memory: Memory) -> None:
    fd = os.memfd_create("small")
    os.ftruncate(fd, (GUARD_CELLS + 8) * 8)
    cells = GuardedCells(mmap.mmap(fd, (GUARD_CELLS + 8) * 8), fd)
    with pytest.raises(ValueError, match="too little memory"):
        Buckets(cells, memory.row, 0)
    os.close(fd)


@given(
    calls=st.lists(
        st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(1, 60), st.sampled_from([0, 0, 0, 1, 30])),
        max_size=40,
    )
)
@settings(deadline=None, max_examples=50)
def test_neighbours_do_not_disturb_each_other(calls: list[tuple[int, int, int, int]]) -> None:
    """All are in one set, where entries grow and move: each does what its model does."""
    memory, now = Memory(), START
    models: dict[tuple[int, int], Callable[[int], bool]] = {}
    for kind, client, times, pause in calls:
        now += pause * SECOND
        model = models.setdefault((kind, client), MODELS[kind](50, 0, 640))
        limit, name = Limit(kind, 50, 0, 640), meeting(client, kind)
        for _ in range(times):
            assert memory.buckets.take((limit,), (name,), now).is_allowed == model(now)
    assert memory.forgotten == 0
    os.close(memory.fd)


@cache
def meeting(client: int, kind: int, limit: int = 0) -> Any:
    """Return a name whose place is that of all others."""
    sets = LEAST_CELLS // 2 // (2048 if kind >= LOG else 128)
    names = (mark(KEY, b"%d %d %d %d" % (client, kind, limit, number)) for number in count())
    return next(name for name in names if name.low % 2**63 % sets == 0)


# Both builds.


def as_source() -> Any:
    """Return the module as its source says, whatever was compiled."""
    path = Path(kairos._speedups.__file__).with_name("buckets.py")
    loader = SourceFileLoader("buckets_as_source", str(path))
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


calls = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "look", "give_back"]),
        st.sampled_from([(0,), (1,), (2,), (3,), (4,), (0, 2), (1, 3, 4)]),
        st.integers(0, 60),
        st.integers(-SECOND // 4, 30 * SECOND),
        st.integers(1, 40),
    ),
    max_size=40,
)


@pytest.mark.skipif(not COMPILED, reason="there is only the source")
@given(calls)
@settings(deadline=None)
def test_compiled_it_does_the_same(calls: list[tuple[str, tuple[int, ...], int, int, int]]) -> None:
    """Byte by byte, in a memory so small that entries are pushed out."""
    source, contents, histories = as_source(), [], []
    kinds = ((TOKENS, 9, 3, 60), (FIXED, 7, 0, 20), (LOG, 500, 100, 60), (PANES, 50, 0, 64), (LOG, 5, 0, 10))
    for module, cells_of in ((compiled, GuardedCells), (source, _guarded_py.GuardedCells)):
        memory, row, now, history = bytearray((GUARD_CELLS + LEAST_CELLS) * 8), Cells(bytearray(8), -1), START, []
        fd = os.memfd_create("locks")
        subject = module.Buckets(cells_of(memory, fd), row, 0)
        limits = [module.Limit(*kind) for kind in kinds]
        for call, chosen, client, pause, times in calls:
            now += pause
            names = []
            for number in chosen:
                name = meeting(client, kinds[number][0], number)
                names.append(name if module is not source else _marks_py.Mark(name.low, name.high))
            for _ in range(times):
                verdict = getattr(subject, call)(tuple(limits[number] for number in chosen), tuple(names), now)
                fields = ("is_allowed", "number", "remaining", "reset", "wait")
                history.append(verdict and [getattr(verdict, field) for field in fields])
        history.append(row.load(0))
        histories.append(history)
        contents.append(bytes(memory[GUARD_CELLS * 8 :]))
        os.close(fd)

    assert histories[0] == histories[1]
    assert contents[0] == contents[1]


# Processes.


def in_processes(count: int, work: Callable[[], int]) -> int:
    """Run `work` in processes that all start at the same moment; return the sum of what it returns."""
    gate_out, gate_in = os.pipe()
    reader, writer = os.pipe()
    for _ in range(count):
        if os.fork() == 0:
            os.close(gate_in)
            os.read(gate_out, 1)  # returns at the end of the file
            os.write(writer, b"%d\n" % work())
            os._exit(0)
    for fd in (gate_out, gate_in, writer):
        os.close(fd)
    for _ in range(count):
        assert os.wait()[1] == 0
    with os.fdopen(reader) as stream:
        return sum(map(int, stream))


@pytest.mark.parametrize("kind", KINDS)
def test_processes_together_let_exactly_so_many_through(memory: Memory, kind: int) -> None:
    limit = Limit(kind, 900, 100, 3600)

    assert in_processes(4, lambda: allowed(memory.buckets, limit, 0, 1_000)) == 1_000


def test_processes_agree_on_several_limits_in_any_order(memory: Memory) -> None:
    limits = tuple(Limit(kind, 300 + kind, 0, 3600) for kind in KINDS)
    names = tuple(mark(KEY, b"%d" % kind) for kind in KINDS)

    def work() -> int:
        order = random.Random(os.getpid()).sample(range(4), 4)
        chosen = tuple(limits[number] for number in order), tuple(names[number] for number in order)
        return sum(memory.buckets.take(*chosen, START).is_allowed for _ in range(300))

    assert in_processes(4, work) == 300


@pytest.mark.parametrize("kind", KINDS)
def test_processes_that_are_killed_stop_nobody_and_break_nothing(memory: Memory, kind: int) -> None:
    limit, chance = Limit(kind, 40, 0, 3600), random.Random(kind)
    for _ in range(25):
        pid = os.fork()
        if pid == 0:
            number = 0
            while True:
                memory.buckets.take((limit,), (mark(KEY, b"%d" % (number % 20_000)),), START)
                number += 1
        for _ in range(chance.randrange(400)):
            memory.buckets.take((limit,), (mark(KEY, b"%d" % chance.randrange(20_000)),), START)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    for number in range(200):
        assert allowed(memory.buckets, limit, 1, 60, b"after %d" % number) == 40


class Killed(BaseException):
    """The process is gone."""


class DyingCells:
    """Cells as a process sees them that is killed before its change number `steps`; its locks are released."""

    def __init__(self, cells: Any, steps: int) -> None:
        self._cells = cells
        self._steps = steps

    def __len__(self) -> int:
        return len(self._cells)

    def __getattr__(self, name: str) -> Any:
        if name in ("store", "move"):
            if self._steps == 0:
                raise Killed
            self._steps -= 1
        return getattr(self._cells, name)


@pytest.mark.parametrize("pause", [1, 61])
@pytest.mark.parametrize("kind", KINDS)
def test_a_death_at_any_step_costs_one_request_or_empties_the_set(kind: int, pause: int) -> None:
    source, row, now = as_source(), Cells(bytearray(8), -1), START + pause * SECOND
    limit, one, other = source.Limit(kind, 20, 0, 60), meeting(1, kind), meeting(2, kind)
    used = {one: 4, other: 2} if pause < 60 else {one: 0, other: 0}
    steps, is_done = 0, False
    while not is_done:
        fd = os.memfd_create("locks")
        cells = _guarded_py.GuardedCells(bytearray((GUARD_CELLS + LEAST_CELLS) * 8), fd)
        buckets = source.Buckets(cells, row, 0)
        for name, times in ((one, 4), (other, 2)):
            for _ in range(times):
                buckets.take((limit,), (name,), START)
        with contextlib.suppress(Killed):
            source.Buckets(DyingCells(cells, steps), row, 0).take((limit,), (one,), now)
            is_done = True

        left = {name: sum(buckets.take((limit,), (name,), now).is_allowed for _ in range(40)) for name in (one, other)}

        assert left[one] in (20, 20 - used[one], 20 - used[one] - 1), steps
        assert left[other] in (20, 20 - used[other]), steps
        assert not is_done or (left[one], left[other]) == (20 - used[one] - 1, 20 - used[other])
        steps += 1
        os.close(fd)
    assert steps > 2


def test_a_set_that_was_left_in_disorder_is_emptied(memory: Memory) -> None:
    limit, name = Limit(FIXED, 2, 0, 60), meeting(1, FIXED)
    for _ in range(3):
        memory.buckets.take((limit,), (name,), START)
    memory.cells.store(1, 1)  # the set of that name is the first; somebody was moving its entries

    assert memory.buckets.take((limit,), (name,), START).remaining == 1
    assert memory.cells.load(1) == 0
