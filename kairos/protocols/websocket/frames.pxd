cimport cython

cdef int _BINARY, _CLOSE, _PONG
cdef int _FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH
cdef int _LONGEST_CONTROL, _LENGTH_16, _LENGTH_64, _MASK_BYTES
cdef int _PROTOCOL_ERROR, _NO_CODE, _TOO_BIG


@cython.final
cdef class Frames:
    cdef bint _has_extensions
    cdef bint _is_masked
    cdef bint _is_open
    cdef Py_ssize_t _message
    cdef Py_ssize_t _most_frame
    cdef Py_ssize_t _most_message
    cdef readonly int close_code
    cdef readonly int fault
    cdef readonly Py_ssize_t left
    cdef public Py_ssize_t messages
    cdef readonly Py_ssize_t pong
    cdef public bint stops
    cdef public bint stops_at_pongs

    @cython.locals(size=Py_ssize_t, at=Py_ssize_t, step=Py_ssize_t)
    cpdef Py_ssize_t scan(self, bytes data) except -1

    @cython.locals(text="const unsigned char*", first=int, opcode=int, has_mask=bint)
    cdef Py_ssize_t _next(self, bytes data, Py_ssize_t at, Py_ssize_t size) except -1

    @cython.locals(text="const unsigned char*", length=Py_ssize_t, wide=Py_ssize_t, header=Py_ssize_t, given=object)
    cdef Py_ssize_t _next_data(self, bytes data, Py_ssize_t at, Py_ssize_t size) except -1

    @cython.locals(text="const unsigned char*", opcode=int, length=Py_ssize_t, header=Py_ssize_t, high=int, low=int)
    cdef Py_ssize_t _next_control(self, bytes data, Py_ssize_t at, Py_ssize_t size) except -1

    cdef Py_ssize_t _refuse(self, int code) except -1
    cpdef accept_any_size(self)
