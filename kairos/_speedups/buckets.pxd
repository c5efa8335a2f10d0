cimport cython
from libc.stdint cimport int64_t

from kairos._speedups.cells cimport Cells
from kairos._speedups.guarded cimport GuardedCells
from kairos._speedups.marks cimport Mark

cdef int _TOKENS, _FIXED, _LOG
cdef int64_t _LONGEST_LOG, _PANES, _RING
cdef Py_ssize_t _STRIPES
cdef Py_ssize_t _IN_USE, _IS_UNSAFE, _SET_HEAD
cdef Py_ssize_t _SIZE, _CLEAR, _USED, _SHARE, _OWN
cdef Py_ssize_t _SMALL, _LARGE
cdef Py_ssize_t _FIRST_STAMPS


@cython.final
cdef class Limit:
    cdef readonly int kind
    cdef readonly int64_t most
    cdef readonly int64_t step
    cdef readonly int64_t window


@cython.final
@cython.freelist(16)
cdef class Verdict:
    cdef readonly bint is_allowed
    cdef readonly Py_ssize_t number
    cdef readonly int64_t remaining
    cdef readonly int64_t reset
    cdef readonly int64_t wait


@cython.locals(verdict=Verdict)
cdef Verdict _verdict(bint is_allowed, Py_ssize_t number, int64_t remaining, int64_t reset, int64_t wait)


@cython.final
cdef class Buckets:
    cdef GuardedCells _cells
    cdef Cells _row
    cdef Py_ssize_t _column
    cdef Py_ssize_t _small
    cdef Py_ssize_t _start
    cdef Py_ssize_t _large
    cdef int64_t _remaining
    cdef int64_t _reset
    cdef int64_t _wait

    cpdef Verdict look(self, tuple limits, tuple marks, int64_t now)
    cpdef Verdict take(self, tuple limits, tuple marks, int64_t now)

    @cython.locals(number=Py_ssize_t, mark=Mark, limit=Limit, base=Py_ssize_t, stripe=Py_ssize_t, at=Py_ssize_t)
    cpdef give_back(self, tuple limits, tuple marks, int64_t now)

    @cython.locals(limit=Limit, mark=Mark, base=Py_ssize_t, stripe=Py_ssize_t, at=Py_ssize_t, is_allowed=bint)
    cdef Verdict _decide(self, tuple limits, tuple marks, int64_t now, bint counts)

    @cython.locals(
        stripes=list, locked=Py_ssize_t, verdict=Verdict, number=Py_ssize_t, limit=Limit, mark=Mark, base=Py_ssize_t
    )
    cdef Verdict _decide_all(self, tuple limits, tuple marks, int64_t now, bint counts)

    @cython.locals(stripes=list, number=Py_ssize_t, stripe=Py_ssize_t)
    cdef list _stripes(self, tuple limits, tuple marks)

    @cython.locals(
        all_allow=bint, chosen=Py_ssize_t, remaining=int64_t, reset=int64_t, wait=int64_t, number=Py_ssize_t,
        limit=Limit, mark=Mark, is_allowed=bint, is_nearer=bint
    )
    cdef Verdict _judge_all(self, tuple limits, tuple marks, int64_t now)

    @cython.locals(low=int64_t)
    cdef Py_ssize_t _place(self, Limit limit, Mark mark) except -1

    cdef Py_ssize_t _stripe(self, Py_ssize_t base) except -1
    cdef Py_ssize_t _set_cells(self, Py_ssize_t base) except -1

    @cython.locals(cells=GuardedCells, start=Py_ssize_t)
    cdef Py_ssize_t _find(self, Py_ssize_t base, Mark mark) except -2

    @cython.locals(clear=int64_t, used=int64_t, left=int64_t)
    cdef bint _judge(self, Limit limit, Py_ssize_t at, int64_t now) except -1

    @cython.locals(after=int64_t)
    cdef bint _judge_tokens(self, Limit limit, int64_t owed) except -1

    cdef bint _judge_count(self, Limit limit, int64_t used, int64_t reset, int64_t wait) except -1

    @cython.locals(cells=GuardedCells, used=int64_t, passed=int64_t, wait=int64_t)
    cdef bint _judge_log(self, Limit limit, Py_ssize_t at, int64_t clear, int64_t now) except -1

    @cython.locals(cells=GuardedCells, used=int64_t, number=int64_t)
    cdef int64_t _passed(self, Limit limit, Py_ssize_t at, int64_t now) except -1

    @cython.locals(
        cells=GuardedCells, newest=int64_t, current=int64_t, used=int64_t, pane=int64_t, freed=int64_t
    )
    cdef bint _judge_panes(self, Limit limit, Py_ssize_t at, int64_t clear, int64_t now) except -1

    @cython.locals(cells=GuardedCells, clear=int64_t, used=int64_t)
    cdef _count(self, Limit limit, Py_ssize_t base, Py_ssize_t at, Mark mark, int64_t now)

    @cython.locals(cells=GuardedCells, used=int64_t, passed=int64_t, moment=int64_t)
    cdef Py_ssize_t _write_log(
        self, Limit limit, Py_ssize_t base, Py_ssize_t at, Mark mark, int64_t now
    ) except -1

    @cython.locals(
        cells=GuardedCells, ring=Py_ssize_t, newest=int64_t, current=int64_t, used=int64_t, pane=int64_t
    )
    cdef int64_t _count_in_pane(self, Limit limit, Py_ssize_t at, int64_t now) except -1

    @cython.locals(cells=GuardedCells, clear=int64_t, used=int64_t, pane=int64_t, oldest=int64_t, cell=Py_ssize_t)
    cdef _uncount(self, Limit limit, Py_ssize_t at, int64_t now)

    @cython.locals(cells=GuardedCells, size=Py_ssize_t, at=Py_ssize_t, cell=Py_ssize_t)
    cdef Py_ssize_t _add(self, Limit limit, Py_ssize_t base, Mark mark, int64_t now) except -1

    @cython.locals(cells=GuardedCells, behind=Py_ssize_t, in_use=Py_ssize_t)
    cdef Py_ssize_t _grow(self, Py_ssize_t base, Py_ssize_t at, Mark mark, Py_ssize_t more, int64_t now) except -1

    @cython.locals(room=Py_ssize_t)
    cdef _make_room(self, Py_ssize_t base, Mark mark, Py_ssize_t size, int64_t now)

    @cython.locals(
        cells=GuardedCells, at=Py_ssize_t, end=Py_ssize_t, least=int64_t, chosen=Py_ssize_t, share=int64_t,
        size=Py_ssize_t
    )
    cdef _push_out(self, Py_ssize_t base, Mark mark, int64_t now)
