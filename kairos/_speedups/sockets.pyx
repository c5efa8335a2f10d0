# cython: language_level=3
"""Accept and send with one system call each, and nothing around it."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EAGAIN, EINTR, errno

cdef extern from "<sys/socket.h>" nogil:
    int MSG_DONTWAIT
    int MSG_NOSIGNAL
    int SOCK_CLOEXEC
    int accept4(int fd, void *address, void *size, int flags)
    ssize_t send(int fd, const void *data, size_t size, int flags)


cpdef int accept_one(object listening) except -2:
    """Accept from a non-blocking socket. Return the descriptor, or -1 if nobody waits.

    Raises OSError.
    """
    cdef int fd = listening.fileno()
    cdef int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC)
    if accepted < 0 and errno != EAGAIN and errno != EINTR:
        PyErr_SetFromErrno(OSError)
        return -2
    return accepted


cpdef Py_ssize_t send_now(int fd, bytes data):
    """Send as much as a socket takes without waiting; return how much that was, 0 also if there is an error."""
    cdef ssize_t sent = send(fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT | MSG_NOSIGNAL)
    return sent if sent > 0 else 0
