cpdef size_t handle_of(object connection, object context)


cdef class Functions:
    cdef void *_control
    cdef void *_handshake
    cdef void *_error

    cpdef bint clear_mode(self, size_t handle, long mode)
    cpdef bint waits(self, size_t handle)
