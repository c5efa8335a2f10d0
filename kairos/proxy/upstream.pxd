cimport cython

from kairos._speedups.head cimport head_end
from kairos.balancing.latency cimport Latency
from kairos.protocols.http1.head cimport ResponseHead
from kairos.proxy.exchange cimport Exchange
from kairos.proxy.generation cimport ProxyRoute
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.pool cimport Pool
from kairos.proxy.writer cimport Writer

cdef Py_ssize_t _CHUNKED
cdef Py_ssize_t _UNTIL_CLOSE
cdef Py_ssize_t _AWAITS_HEAD
cdef Py_ssize_t _IDLE
cdef Py_ssize_t _SWITCHES
cdef double _NEVER


@cython.final
cdef class Upstream:
    cdef double _asked_at
    cdef bytes _buffer
    cdef object _chunks
    cdef Exchange _exchange
    cdef bint _has_left
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
    cdef object _unsent
    cdef Writer _writer
    cdef public double deadline
    cdef public double expires
    cdef public bytes header
    cdef public double idle_seconds
    cdef public double idle_since
    cdef public bint is_closing
    cdef public bint is_counted
    cdef public bint is_reused
    cdef public object owner
    cdef public Py_ssize_t requests

    cpdef send(self, Exchange exchange, bytes data)
    cpdef write(self, bytes data)

    @cython.locals(seconds=double, exchange=Exchange)
    cpdef await_head(self, double deadline)

    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef bint is_alive(self) except -1
    cpdef close(self)
    cpdef abort(self)
    cpdef _let_go_of_spare(self)
    cpdef _listen(self)

    @cython.locals(searched=Py_ssize_t, end=Py_ssize_t, most=Py_ssize_t, size=Py_ssize_t, text="const char*")
    cpdef _read_head(self, bytes data)

    @cython.locals(exchange=Exchange, head=ResponseHead, seconds=double)
    cpdef _take_head(self, bytes raw)

    @cython.locals(latency=Latency, now=double, asked_at=double, seconds=double)
    cpdef _measure(self, bint is_error)

    @cython.locals(left=Py_ssize_t)
    cpdef _read_body(self, bytes data)

    @cython.locals(exchange=Exchange)
    cpdef _pass_on(self, bytes body)

    @cython.locals(exchange=Exchange, is_clean=bint)
    cpdef _finish(self, bytes body, bint overlong=*, list trailers=*)
