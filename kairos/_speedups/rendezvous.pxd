from libc.stdint cimport uint64_t


cpdef tuple ranking(uint64_t key, bytes seeds, bytes weights)
