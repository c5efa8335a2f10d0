cimport cython

from kairos._speedups.head cimport FieldSet, plain_request, plain_response

cdef FieldSet REQUEST_FACTS
cdef FieldSet RESPONSE_FACTS
cdef Py_ssize_t _CHUNKED
cdef Py_ssize_t _UNTIL_CLOSE
cdef Py_ssize_t _FEW_DIGITS
cdef unsigned char _SPACE, _SLASH, _ZERO, _ONE, _H, _TAB, _CR, _DEL


@cython.final
cdef class RequestHead:
    cdef readonly Py_ssize_t body_length
    cdef readonly bytes connection
    cdef readonly bytes host
    cdef readonly bint is_http11
    cdef readonly bint keep_alive
    cdef readonly bytes method
    cdef readonly bytes raw
    cdef readonly bint takes_trailers
    cdef readonly bytes target

    @cython.locals(facts=tuple, text="const unsigned char*", space=Py_ssize_t, end=Py_ssize_t)
    cpdef _read(self, bytes raw)

    cdef bytes _checked_host(self, bytes host)


@cython.final
cdef class ResponseHead:
    cdef readonly Py_ssize_t body_length
    cdef readonly bytes connection
    cdef readonly bint has_date
    cdef readonly bint is_event_stream
    cdef readonly bint keep_alive
    cdef readonly bytes raw
    cdef readonly Py_ssize_t status

    @cython.locals(facts=tuple, text="const unsigned char*", is_http11=bint)
    cpdef _read(self, bytes raw, bint to_head)


@cython.locals(text="const unsigned char*", length=Py_ssize_t, at=Py_ssize_t)
cdef Py_ssize_t _length(bytes value) except -1

cdef bint _is_event_stream(bytes content_type) except -1


@cython.locals(text="const unsigned char*", end=Py_ssize_t)
cpdef judge_response(bytes raw)


@cython.locals(options=list)
cdef bint _keeps_alive(bytes connection, bint is_http11) except -1
