cimport cython

from kairos._speedups.cells cimport Cells
from kairos._speedups.clock cimport coarse_time
from kairos._speedups.ids cimport uuid4
from kairos.proxy.generation cimport Snapshot
from kairos.proxy.poller cimport Poller
from kairos.proxy.ticker cimport Ticker


@cython.final
cdef class DataPlane:
    cdef Py_ssize_t _at
    cdef object _clock
    cdef bytes _random
    cdef public object access_log
    cdef public set crowds
    cdef public set downstreams
    cdef public object hangups
    cdef public object hosts
    cdef public Py_ssize_t in_flight
    cdef public bint is_draining
    cdef public bint is_ready
    cdef public object limit_log
    cdef public object loop
    cdef public Poller poller
    cdef public object retry_budget
    cdef public Cells row
    cdef public Snapshot snapshot
    cdef public double started_clock
    cdef public Ticker ticker
    cdef public set tunnels

    cpdef double time(self) except? -1

    @cython.locals(at=Py_ssize_t)
    cpdef bytes request_id(self)
