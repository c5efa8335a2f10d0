cimport cython

from kairos.proxy.exchange cimport Exchange
from kairos.proxy.plane cimport DataPlane


@cython.final
cdef class Upstream:
    cdef bytes _buffer
    cdef object _chunks
    cdef Exchange _exchange
    cdef bint _is_paused
    cdef bint _keep_alive
    cdef Py_ssize_t _left
    cdef DataPlane _plane
    cdef object _pool
    cdef readonly object _transport
    cdef public double deadline
    cdef public bint is_closing
    cdef public bint is_reused
    cdef public Py_ssize_t requests

    cpdef void send(self, Exchange exchange, bytes data) except *
    cpdef void write(self, bytes data) except *
    cpdef void await_head(self) except *
    cpdef void pause_reading(self) except *
    cpdef void resume_reading(self) except *
    cpdef void close(self) except *
    cpdef void abort(self) except *

    @cython.locals(searched=Py_ssize_t, end=Py_ssize_t)
    cpdef void _read_head(self, bytes data) except *

    cpdef void _take_head(self, bytes raw) except *

    @cython.locals(left=Py_ssize_t)
    cpdef void _read_body(self, bytes data) except *

    cpdef void _pass_on(self, bytes body) except *
    cpdef void _finish(self, bytes body, bint overlong=*) except *
