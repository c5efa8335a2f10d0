cimport cython


@cython.final
cdef class Ticker:
    cdef object _handle
    cdef object _loop
    cdef list _on_tick
    cdef tuple _slots
    cdef Py_ssize_t _turn
    cdef readonly bytes date_line
    cdef readonly double now
