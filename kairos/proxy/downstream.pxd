cimport cython

from kairos.proxy.exchange cimport Exchange
from kairos.proxy.plane cimport DataPlane


@cython.final
cdef class Downstream:
    cdef bytes _buffer
    cdef object _chunks
    cdef Exchange _exchange
    cdef double _head_deadline
    cdef double _idle_since
    cdef bint _is_closing
    cdef bint _is_full
    cdef bint _is_processing
    cdef bint _is_reading
    cdef Py_ssize_t _left
    cdef Py_ssize_t _received
    cdef Py_ssize_t _searched
    cdef object _transport
    cdef Py_ssize_t _unsent
    cdef readonly str client
    cdef public double deadline
    cdef readonly bytes forwarded
    cdef readonly DataPlane plane

    cpdef void write(self, bytes data) except *
    cpdef void pause_reading(self) except *
    cpdef void resume_reading(self) except *
    cpdef bint keeps_alive(self, Exchange exchange) except -1
    cpdef void exchange_ended(self, bint keep) except *
    cpdef void _process(self, bytes data) except *

    @cython.locals(end=Py_ssize_t, raw=bytes)
    cpdef bytes _next_request(self, bytes data, Py_ssize_t searched)

    cpdef bytes _begin(self, object head, bytes rest)
    cpdef void _read_body(self, bytes data) except *
    cpdef void _rest(self) except *
