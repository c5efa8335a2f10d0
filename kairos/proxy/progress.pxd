cimport cython


@cython.final
cdef class Progress:
    cdef Py_ssize_t _at_begin
    cdef double _began
    cdef Py_ssize_t _moved
    cdef double _moved_at
    cdef double _rate
    cdef double _seconds

    cpdef double begin(self, double now, Py_ssize_t moved) except? -1
    cpdef advanced(self, double now, Py_ssize_t moved)
    cpdef double look(self, double now) except? -1
    cpdef double measured(self, double now) except? -1
