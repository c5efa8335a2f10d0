cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class GuardedCells:
    cdef Py_buffer _view
    cdef char *_guards
    cdef int64_t *_cells
    cdef Py_ssize_t _count

    cdef int64_t *at(self, Py_ssize_t index, Py_ssize_t count) except NULL
    cdef int stripe_at(self, Py_ssize_t stripe) except -1
    cpdef lock(self, Py_ssize_t stripe)
    cpdef unlock(self, Py_ssize_t stripe)
    cpdef int64_t load(self, Py_ssize_t index) except? -1
    cpdef store(self, Py_ssize_t index, int64_t value)
    cpdef move(self, Py_ssize_t to, Py_ssize_t start, Py_ssize_t count)
    cpdef Py_ssize_t find(self, Py_ssize_t start, Py_ssize_t end, int64_t low, int64_t high) except -2
