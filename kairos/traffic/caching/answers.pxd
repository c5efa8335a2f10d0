cimport cython

from kairos._speedups.head cimport FieldSet
from kairos.protocols.http1.head cimport ResponseHead


@cython.final
cdef class Answer:
    cdef readonly double born_at
    cdef readonly double error_until
    cdef readonly bytes etag
    cdef readonly ResponseHead head
    cdef readonly bint is_strict
    cdef readonly bytes modified
    cdef public ResponseHead not_modified
    cdef readonly bytes raw
    cdef readonly double revalidate_until
    cdef readonly Py_ssize_t size
    cdef readonly double stale_at

    cpdef Py_ssize_t age(self, double now) except -1


@cython.final
cdef class Variants:
    cdef readonly FieldSet fields
    cdef readonly bytes name
