cimport cython

from kairos._speedups.cells cimport Cells
from kairos._speedups.head cimport FieldSet
from kairos.protocols.http1.fields cimport Copies
from kairos.protocols.http1.head cimport RequestHead, ResponseHead
from kairos.protocols.http1.serialize cimport request_head
from kairos.proxy.answer cimport Answer
from kairos.proxy.attempts cimport Attempts
from kairos.proxy.client cimport Client
from kairos.proxy.downstream cimport Downstream
from kairos.proxy.generation cimport ProxyRoute, Snapshot
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.pool cimport Pool
from kairos.proxy.target cimport Target
from kairos.proxy.upstream cimport Upstream

cdef double _NEVER
cdef Py_ssize_t _MOST_HELD
cdef Py_ssize_t _REQUESTS
cdef Py_ssize_t _IN_FLIGHT
cdef Py_ssize_t _RESPONSES_1XX
cdef Py_ssize_t _BYTES_IN
cdef Py_ssize_t _BYTES_OUT
cdef frozenset IDEMPOTENT, SAFE


@cython.final
@cython.freelist(64)
cdef class Exchange:
    cdef Answer _answer
    cdef double _deadline
    cdef bint _has_told
    cdef list _held
    cdef object _held_answer
    cdef bint _is_admitted
    cdef bint _is_due
    cdef bint _is_leaving
    cdef bint _is_trusted
    cdef Pool _taken
    cdef readonly Attempts attempts
    cdef public object caching
    cdef public object change
    cdef readonly str client
    cdef readonly double connected
    cdef readonly Downstream downstream
    cdef readonly double first_byte
    cdef readonly RequestHead head
    cdef readonly bytes forwarded
    cdef public object identity
    cdef public bint keeps_client
    cdef readonly str limit
    cdef public bytes lines
    cdef readonly str reason
    cdef readonly Py_ssize_t request_bytes
    cdef readonly bint request_done
    cdef readonly bytes request_id
    cdef public bytes request_lines
    cdef readonly Py_ssize_t response_bytes
    cdef public ProxyRoute route
    cdef readonly Snapshot snapshot
    cdef readonly double started
    cdef readonly Py_ssize_t status
    cdef public bytes target
    cdef public object task
    cdef public object upgrade
    cdef public object upstream

    @cython.locals(plane=DataPlane, row=Cells, client=Client, request_id=bytes)
    cdef _start(self, Downstream downstream, RequestHead head, Snapshot snapshot)

    cpdef begin(self)

    @cython.locals(upstream=Upstream)
    cpdef request_body(self, bytes data, bint done)

    @cython.locals(plane=DataPlane)
    cpdef bint begin_response(self, ResponseHead head) except -1

    cpdef bint take_answer(self, ResponseHead head) except -1
    cpdef begin_answer(self, ResponseHead head)
    cpdef response_body(self, bytes data)

    @cython.locals(whole=Py_ssize_t)
    cpdef _pass_on_events(self, object events, bytes data)

    cpdef bint is_event_stream(self) except -1
    cpdef leave(self)
    cpdef drain(self)
    cpdef _end_stream(self, bytes data)
    cpdef end_response(self, bytes data, list trailers)
    cpdef goes_on(self, bytes data)
    cdef _pass_on(self, bytes data)

    @cython.locals(seconds=double)
    cpdef _start_clock(self)

    @cython.locals(attempts=Attempts)
    cpdef _go_to(self, Target target)

    @cython.locals(upstream=Upstream)
    cpdef _attempt(self, Target target)

    @cython.locals(head=RequestHead, host=bytes, lines=bytes, data=bytes, copies=Copies, usual=FieldSet)
    cpdef _send(self, Upstream upstream, Pool pool)

    cpdef bint is_idempotent(self) except -1
    cpdef _leave_backend(self)

    cpdef bytes connection_line(self)

    @cython.locals(plane=DataPlane, row=Cells)
    cpdef _end(self)
