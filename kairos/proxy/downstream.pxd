cimport cython

from kairos._speedups.head cimport count_lines, head_end
from kairos.protocols.http1.head cimport RequestHead, validate_request
from kairos.proxy.body cimport RequestBody
from kairos.proxy.client cimport Client
from kairos.proxy.exchange cimport Exchange
from kairos.proxy.generation cimport ProxyRoute, Snapshot
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.progress cimport Progress

cdef unsigned char _CR, _LF
cdef Py_ssize_t _LARGEST_BACKLOG
cdef double _NEVER


@cython.final
cdef class Downstream:
    cdef RequestBody _body
    cdef bytes _buffer
    cdef Client _client
    cdef Exchange _exchange
    cdef int _fd
    cdef object _forwarding
    cdef double _head_deadline
    cdef double _idle_since
    cdef bint _is_closing
    cdef bint _is_full
    cdef bint _is_processing
    cdef bint _is_reading
    cdef Progress _progress
    cdef Py_ssize_t _searched
    cdef object _send
    cdef object _transport
    cdef Py_ssize_t _written
    cdef readonly str address
    cdef public double deadline
    cdef readonly DataPlane plane

    cpdef Client client(self, Snapshot snapshot)
    cpdef void write(self, bytes data) except *
    cpdef void pause_reading(self) except *
    cpdef void resume_reading(self) except *
    cpdef bint keeps_alive(self, Exchange exchange) except -1
    cpdef void exchange_ended(self, bint keep) except *

    @cython.locals(searched=Py_ssize_t, rest=bytes)
    cpdef void _process(self, bytes data) except *

    @cython.locals(plane=DataPlane, snapshot=Snapshot, end=Py_ssize_t, raw=bytes, head=RequestHead, text="const char*")
    cpdef bytes _next_request(self, bytes data, Py_ssize_t searched)

    @cython.locals(plane=DataPlane, head=RequestHead, is_clean=bint, usual=bint)
    cpdef RequestHead _read_head(self, bytes raw)

    @cython.locals(exchange=Exchange, route=ProxyRoute)
    cpdef bytes _begin(self, RequestHead head, Snapshot snapshot, bytes rest)

    @cython.locals(exchange=Exchange, body=RequestBody, progress=Progress, used=Py_ssize_t, framed=bytes)
    cpdef void _read_body(self, bytes data) except *

    @cython.locals(now=double, seconds=double)
    cpdef void _rest(self) except *

    @cython.locals(exchange=Exchange, route=ProxyRoute, now=double)
    cpdef void _watch(self) except *
