cimport cython

from kairos._speedups.head cimport count_lines, head_end
from kairos.protocols.http1.head cimport RequestHead
from kairos.proxy.body cimport RequestBody
from kairos.proxy.client cimport Client
from kairos.proxy.exchange cimport Exchange
from kairos.proxy.generation cimport ProxyRoute, Snapshot
from kairos.proxy.listener_options cimport ListenerOptions
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.progress cimport Progress
from kairos.proxy.writer cimport Writer

cdef unsigned char _CR, _LF
cdef Py_ssize_t _LARGEST_BACKLOG
cdef double _NEVER


@cython.final
cdef class Downstream:
    cdef RequestBody _body
    cdef bytes _buffer
    cdef bytes _certificate
    cdef Client _client
    cdef Exchange _exchange
    cdef int _fd
    cdef object _forwarding
    cdef double _head_deadline
    cdef double _idle_since
    cdef bint _is_closing
    cdef bint _is_processing
    cdef bint _is_reading
    cdef Progress _progress
    cdef Py_ssize_t _searched
    cdef object _told
    cdef object _transport
    cdef Writer _writer
    cdef Py_ssize_t _written
    cdef readonly str address
    cdef public double deadline
    cdef readonly bint has_certificate
    cdef readonly bint is_full
    cdef readonly bint is_nobody
    cdef readonly bint is_secure
    cdef readonly bint is_verified
    cdef readonly ListenerOptions listener
    cdef public set owns
    cdef readonly DataPlane plane
    cdef readonly bytes server_name

    cpdef stand_in(self, Downstream client, object transport)
    cpdef Client client(self, Snapshot snapshot)
    cpdef bint serves(self, Exchange exchange) except -1
    cpdef write(self, bytes data)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef bint keeps_alive(self, Exchange exchange) except -1
    cpdef exchange_ended(self, bint keep)

    @cython.locals(searched=Py_ssize_t, rest=bytes)
    cpdef _process(self, bytes data)

    @cython.locals(plane=DataPlane, snapshot=Snapshot, end=Py_ssize_t, raw=bytes, head=RequestHead, text="const char*")
    cpdef bytes _next_request(self, bytes data, Py_ssize_t searched)

    @cython.locals(exchange=Exchange, route=ProxyRoute)
    cpdef bytes _begin(self, RequestHead head, Snapshot snapshot, bytes rest)

    @cython.locals(exchange=Exchange, body=RequestBody, progress=Progress, used=Py_ssize_t, framed=bytes)
    cpdef _read_body(self, bytes data)

    @cython.locals(now=double, seconds=double)
    cpdef _rest(self)

    @cython.locals(exchange=Exchange, route=ProxyRoute, now=double)
    cpdef _watch(self)
