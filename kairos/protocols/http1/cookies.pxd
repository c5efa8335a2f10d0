cimport cython

from kairos._speedups.head cimport FieldSet
from kairos.protocols.http1.head cimport RequestHead

cdef FieldSet COOKIES
cdef unsigned char _SPACE, _TAB, _SEMICOLON, _COMMA


@cython.locals(line=bytes, text="const unsigned char*", start=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t)
cpdef bytes cookie(RequestHead head, bytes name)

cdef bint _separates(unsigned char byte) noexcept
