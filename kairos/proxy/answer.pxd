cimport cython

from kairos.protocols.http1.head cimport RequestHead, ResponseHead
from kairos.protocols.http1.serialize cimport response_head
from kairos.proxy.exchange cimport Exchange
from kairos.proxy.generation cimport ProxyRoute, Snapshot
from kairos.proxy.plane cimport DataPlane

cdef Py_ssize_t _CHUNKED
cdef Py_ssize_t _UNTIL_CLOSE
cdef bytes _NOSNIFF_AND_ID


@cython.final
@cython.freelist(64)
cdef class Answer:
    cdef bytes _connection
    cdef object _encoding
    cdef ResponseHead _head
    cdef bint _is_chunked
    cdef readonly object events

    cdef _begin(self, Exchange exchange, ResponseHead head)

    @cython.locals(is_http11=bint, is_open=bint)
    cpdef frame(self, Exchange exchange, ResponseHead head)

    cpdef bytes piece(self, Exchange exchange, bytes data)
    cpdef bytes framed(self, Exchange exchange, bytes data)
    cpdef bytes last_piece(self, Exchange exchange, bytes data, list trailers)
    cpdef bint is_busy(self) except -1
    cpdef bytes last_framed(self, Exchange exchange, bytes data, list trailers)

    @cython.locals(head=ResponseHead, route=ProxyRoute, date=bytes, coding=bytes, via=bytes, connection=bytes)
    cdef bytes _with_head(self, Exchange exchange, bytes data)
