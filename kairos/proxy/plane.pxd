cimport cython


@cython.final
cdef class DataPlane:
    cdef Py_ssize_t _at
    cdef str _random
    cdef public object access_log
    cdef public set downstreams
    cdef public bint is_draining
    cdef public bint is_ready
    cdef public object loop
    cdef public object row
    cdef public object snapshot
    cdef public double started_clock
    cdef public object ticker

    @cython.locals(at=Py_ssize_t, digits=str)
    cpdef str request_id(self)
