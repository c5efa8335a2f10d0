cimport cython


@cython.final
cdef class Ticker:
    cdef object _handle
    cdef object _loop
    cdef list _on_tick
    cdef tuple _slots
    cdef Py_ssize_t _turn
    cdef public bytes date_line
    cdef public double now
