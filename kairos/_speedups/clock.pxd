cpdef double coarse_time() except? -1
