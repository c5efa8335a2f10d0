cpdef int accept_one(object listening) except -2
cpdef Py_ssize_t send_now(int fd, bytes data)
