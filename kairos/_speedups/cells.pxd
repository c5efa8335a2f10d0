cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Cells:
    cdef Py_buffer _view
    cdef int64_t *_cells
    cdef Py_ssize_t _count

    cdef int64_t *at(self, Py_ssize_t index) except NULL
    cpdef int64_t load(self, Py_ssize_t index) except? -1
    cpdef store(self, Py_ssize_t index, int64_t value)
    cpdef add(self, Py_ssize_t index, int64_t n)
    cpdef int64_t fetch_add(self, Py_ssize_t index, int64_t n) except? -1
    cpdef bint compare_exchange(self, Py_ssize_t index, int64_t expected, int64_t value) except -1
