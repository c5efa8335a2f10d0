cimport cython
from libc.stdint cimport int64_t

from kairos._speedups.buckets cimport Buckets, Limit, Verdict
from kairos._speedups.cells cimport Cells
from kairos._speedups.marks cimport Mark, mark

cdef int _ADDRESS, _HEADER, _USER, _NOBODY
cdef Py_ssize_t _RATE_LIMITED, _RATE_DRY_RUN
cdef int64_t _SECOND, _READY
cdef tuple _NUMBERS


@cython.final
cdef class Rule:
    cdef int _by
    cdef Mark _constant
    cdef object _fields
    cdef bytes _hash_key
    cdef bytes _prefix
    cdef readonly Limit limit
    cdef readonly bytes begins
    cdef readonly bytes policy
    cdef readonly bytes totals

    cpdef Mark mark(self, object asked)
    cdef Mark _mark_of(self, bytes kind, bytes who)


@cython.final
cdef class RateLimiter:
    cdef RateLimiter _before
    cdef Buckets _buckets
    cdef bint _dry_run
    cdef bint _is_last
    cdef tuple _limits
    cdef bytes _policies
    cdef Cells _row
    cdef tuple _rules

    @cython.locals(verdict=Verdict)
    cpdef look(self, object asked)

    @cython.locals(verdict=Verdict)
    cpdef take(self, object asked)

    cpdef give_back(self, object asked)

    @cython.locals(rules=tuple, rule=Rule)
    cdef tuple _marks(self, object asked)

    @cython.locals(limit=Limit)
    cdef object _refusal(self, Verdict verdict)

    @cython.locals(rule=Rule, left=bytes, reset=bytes, parts=tuple)
    cdef bytes _lines(self, Verdict verdict, bint with_totals)


cpdef bytes network(str client)
cdef int64_t _nanoseconds(double now) except? -1
cdef int64_t _seconds(int64_t nanoseconds) except? -1
cdef bytes _digits(int64_t number)
