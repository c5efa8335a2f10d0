cimport cython

from kairos._speedups.head cimport FieldSet


@cython.final
cdef class Copies:
    cdef readonly FieldSet bodiless
    cdef readonly FieldSet request
    cdef readonly FieldSet response
    cdef readonly FieldSet trusted_request
