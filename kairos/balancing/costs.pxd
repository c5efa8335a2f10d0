cimport cython

from kairos._speedups.selection cimport Loads, Orders, by_cost
from kairos.balancing.latency cimport Latency
from kairos.protocols.http1.head cimport RequestHead

cdef Py_ssize_t _FEW


@cython.final
cdef class Busyness:
    cdef Loads _loads
    cdef tuple _weights

    @cython.locals(index=Py_ssize_t, load=Py_ssize_t, weight=double, costs=list)
    cpdef list costs(self, tuple indexes)


@cython.final
cdef class Slowness:
    cdef tuple _latencies
    cdef Loads _loads
    cdef object _now
    cdef tuple _weights

    @cython.locals(
        now=double, unknown=double, seconds=double, weight=double, index=Py_ssize_t, load=Py_ssize_t, latency=Latency,
        costs=list,
    )
    cpdef list costs(self, tuple indexes)

    @cython.locals(total=double, seconds=double, measured=Py_ssize_t, index=Py_ssize_t, latency=Latency)
    cdef double _average(self, double now) except -1


@cython.final
cdef class Cheapest:
    cdef Py_ssize_t _count
    cdef tuple _cycle
    cdef object _draw
    cdef tuple _items
    cdef Py_ssize_t _length
    cdef object _next_position
    cdef object _prices
    cdef Orders _turns
    cdef tuple _twice

    cpdef tuple choices(self, str client, RequestHead head)

    @cython.locals(
        one=Py_ssize_t, other=Py_ssize_t, at=Py_ssize_t, first=Py_ssize_t, second=Py_ssize_t, between=Py_ssize_t,
        costs=list, rest=tuple,
    )
    cdef tuple _of_two(self, Py_ssize_t drawn)
