cpdef bytes uuid4(bytes source, Py_ssize_t at)
