# cython: language_level=3
"""Reach OpenSSL's connection inside that of Python's ssl, which does not show it."""

from cpython.object cimport PyObject, PyTypeObject

cdef extern from "Python.h":
    PyTypeObject *Py_TYPE(object)

ctypedef long (*control_t)(void *, int, long, void *)
ctypedef int (*handshake_t)(void *)
ctypedef int (*error_t)(void *, int)

cdef struct Connection:  # how the object begins that CPython makes of one
    PyObject base
    PyObject *socket
    void *handle
    PyObject *context


cdef int CLEAR_MODE = 78  # SSL_CTRL_CLEAR_MODE: see SSL_CTX_set_mode(3)
cdef int WANT_READ = 2  # SSL_ERROR_WANT_READ: see SSL_get_error(3)


cpdef size_t handle_of(object connection, object context):
    """Return the address of OpenSSL's connection in one of `_ssl` with this context.

    It is 0 if the object does not look as it is known to.
    """
    cdef Connection *found = <Connection *><PyObject *>connection
    if Py_TYPE(connection).tp_basicsize < <Py_ssize_t>sizeof(Connection) or found.context != <PyObject *>context:
        return 0
    return <size_t>found.handle


cdef class Functions:
    """What of OpenSSL is called here, by the addresses in the library that `_ssl` has; 0 is for what is not there."""

    def __init__(self, size_t control, size_t handshake, size_t error):
        """Take SSL_ctrl, SSL_do_handshake and SSL_get_error."""
        self._control = <void *>control
        self._handshake = <void *>handshake
        self._error = <void *>error

    cpdef bint clear_mode(self, size_t handle, long mode):
        """Clear a mode of a connection; False if that cannot be done."""
        if self._control is NULL or not handle:
            return False
        (<control_t>self._control)(<void *>handle, CLEAR_MODE, mode, NULL)
        return True

    cpdef bint waits(self, size_t handle):
        """Go on with a handshake; say whether it waits for the other side, which `_ssl` tells with an exception.

        False tells nothing: whoever goes on as usual hears of an error then.
        """
        cdef int result
        if self._handshake is NULL or self._error is NULL or not handle:
            return False
        result = (<handshake_t>self._handshake)(<void *>handle)
        return result < 1 and (<error_t>self._error)(<void *>handle, result) == WANT_READ
