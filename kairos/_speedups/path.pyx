"""Tell whether a request target is in normal form, in one pass over its bytes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

cdef enum:
    REFUSED
    PLAIN
    SLASH
    PERCENT
    QUESTION

cdef unsigned char KIND[256]  # what a byte means in a path
cdef bint IN_QUERY[256]  # bytes that stay as they are in a query
cdef signed char HEX[256]  # the value of an upper-case hexadecimal digit, else -1

cdef object UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
cdef bint IS_UNRESERVED[256]


cdef void fill_tables():
    cdef Py_ssize_t byte
    for byte in range(256):
        KIND[byte] = REFUSED
        IN_QUERY[byte] = 0x20 < byte < 0x7F and byte != c"#"
        IS_UNRESERVED[byte] = False
        HEX[byte] = -1
    for byte in UNRESERVED:
        IS_UNRESERVED[byte] = True
        KIND[byte] = PLAIN
    for byte in b"!$&'()*+,;=:@":
        KIND[byte] = PLAIN
    KIND[c"/"], KIND[c"%"], KIND[c"?"] = SLASH, PERCENT, QUESTION
    for byte in range(16):
        HEX[<unsigned char> b"0123456789ABCDEF"[byte]] = byte


fill_tables()


cdef inline bint is_normal_escape(const unsigned char* digits) noexcept:
    cdef int high = HEX[digits[0]], low
    if high < 0:
        return False
    low = HEX[digits[1]]  # the bytes end with a NUL, so this reads no further than the end
    return low >= 0 and (high | low) != 0 and not IS_UNRESERVED[high << 4 | low]


cdef inline bint is_normal_start(const unsigned char* segment, const unsigned char* end) noexcept:
    """Say whether a segment neither is empty before a slash nor may be read as "." or ".."."""
    if segment == end or segment[0] != c".":
        return segment == end or segment[0] != c"/"
    segment += 2 if segment + 1 < end and segment[1] == c"." else 1
    return segment < end and segment[0] != c"/" and segment[0] != c";" and segment[0] != c"?"


def normal_path(bytes target not None):
    """Return the path of a request target that is in normal form already, without its query; None if it is not."""
    cdef const unsigned char* start = <const unsigned char*> PyBytes_AS_STRING(target)
    cdef const unsigned char* end = start + PyBytes_GET_SIZE(target)
    cdef const unsigned char* byte = start
    cdef const unsigned char* query
    cdef unsigned char kind
    if byte == end or byte[0] != c"/":
        return None
    while byte < end:
        kind = KIND[byte[0]]
        if kind == PLAIN:
            byte += 1
        elif kind == SLASH and is_normal_start(byte + 1, end):
            byte += 1
        elif kind == PERCENT and is_normal_escape(byte + 1):
            byte += 3
        elif kind == QUESTION:
            break
        else:
            return None
    if byte == end:
        return target
    query = byte
    while byte < end:
        if not IN_QUERY[byte[0]]:
            return None
        byte += 1
    return PyBytes_FromStringAndSize(<const char*> start, query - start)
