cimport cython

from kairos._speedups.head cimport FieldSet
from kairos.protocols.http1.head cimport RequestHead

cdef FieldSet COOKIES


@cython.locals(line=bytes, start=Py_ssize_t)
cpdef bytes cookie(RequestHead head, bytes name)
