cimport cython

from kairos._speedups.head cimport FieldSet
from kairos.protocols.http1.fields cimport Copies
from kairos.protocols.http1.head cimport RequestHead, ResponseHead

cdef Py_ssize_t _CHUNKED
cdef unsigned char _NEWLINE, _ONE
cdef bytes _CODING
cdef bytes _TRAILERS


@cython.locals(before=tuple, coding=bytes, trailers=bytes, after=tuple, fields=FieldSet)
cpdef bytes request_head(
    RequestHead head, bytes target, bytes host_line, bytes own_lines, bytes request_id, FieldSet usual
)


@cython.locals(raw=bytes, usual=FieldSet, fields=FieldSet)
cpdef bytes response_head(ResponseHead head, tuple after, Copies copies)


@cython.locals(text="const unsigned char*", end=Py_ssize_t, line=bytes)
cpdef bytes status_line(bytes raw)
