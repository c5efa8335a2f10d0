cimport cython

from kairos._speedups.head cimport head_end
from kairos.protocols.http1.head cimport ResponseHead, validate_response
from kairos.proxy.exchange cimport Exchange
from kairos.proxy.generation cimport ProxyRoute
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.pool cimport Pool

cdef Py_ssize_t _CHUNKED
cdef Py_ssize_t _UNTIL_CLOSE
cdef Py_ssize_t _AWAITS_HEAD
cdef Py_ssize_t _IDLE
cdef double _NEVER


@cython.final
cdef class Upstream:
    cdef bytes _buffer
    cdef object _chunks
    cdef Exchange _exchange
    cdef bint _is_last_call
    cdef bint _is_paused
    cdef bint _keep_alive
    cdef Py_ssize_t _left
    cdef double _moved_at
    cdef DataPlane _plane
    cdef Pool _pool
    cdef Py_ssize_t _sent
    cdef double _silence_seconds
    cdef object _socket
    cdef object _spare
    cdef readonly object _transport
    cdef object _write
    cdef public double deadline
    cdef public double expires
    cdef public double idle_since
    cdef public bint is_closing
    cdef public bint is_reused
    cdef public Py_ssize_t requests

    cpdef void send(self, Exchange exchange, bytes data) except *
    cpdef void write(self, bytes data) except *

    @cython.locals(seconds=double, exchange=Exchange)
    cpdef void await_head(self, double deadline) except *

    cpdef void pause_reading(self) except *
    cpdef void resume_reading(self) except *
    cpdef bint is_alive(self) except -1
    cpdef void close(self) except *
    cpdef void abort(self) except *
    cpdef void _let_go_of_spare(self) except *
    cpdef void _listen(self) except *

    @cython.locals(searched=Py_ssize_t, end=Py_ssize_t, most=Py_ssize_t, size=Py_ssize_t, text="const char*")
    cpdef void _read_head(self, bytes data) except *

    @cython.locals(exchange=Exchange, head=ResponseHead, seconds=double)
    cpdef void _take_head(self, bytes raw) except *

    @cython.locals(left=Py_ssize_t)
    cpdef void _read_body(self, bytes data) except *

    cpdef void _pass_on(self, bytes body) except *

    @cython.locals(exchange=Exchange, is_clean=bint)
    cpdef void _finish(self, bytes body, bint overlong=*, list trailers=*) except *
