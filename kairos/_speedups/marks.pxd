cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Mark:
    cdef readonly int64_t low
    cdef readonly int64_t high


cpdef Mark mark(bytes key, bytes data)
