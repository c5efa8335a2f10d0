cimport cython

from kairos._speedups.cells cimport Cells
from kairos.protocols.websocket.frames cimport Frames
from kairos.proxy.ticker cimport Ticker
from kairos.proxy.writer cimport Writer

cdef Py_ssize_t _BYTES_IN, _BYTES_OUT
cdef Py_ssize_t _MESSAGES_IN, _MESSAGES_OUT


@cython.final
cdef class End:
    cdef Frames _frames
    cdef bytes _held
    cdef bint _is_client
    cdef bint _is_plain
    cdef int _last_code
    cdef Cells _row
    cdef Ticker _ticker
    cdef object _tunnel
    cdef Py_ssize_t _unsent
    cdef Writer _writer
    cdef readonly double full_since
    cdef readonly bint has_ended
    cdef readonly double heard_at
    cdef readonly bint is_full
    cdef readonly bint is_lost
    cdef readonly bint is_over
    cdef readonly double moved_at
    cdef readonly End peer
    cdef readonly double pinged_at
    cdef readonly object transport

    cpdef write(self, bytes data)

    @cython.locals(frames=Frames, size=Py_ssize_t)
    cpdef data_received(self, bytes data)

    @cython.locals(frames=Frames)
    cpdef _pass(self, bytes data)

    @cython.locals(frames=Frames)
    cpdef _receive(self, bytes data)

    @cython.locals(frames=Frames, pong=bytes)
    cpdef _receive_in_parts(self, bytes data, Py_ssize_t size)

    @cython.locals(frames=Frames)
    cpdef finish(self, int code)

    cpdef _say_goodbye(self)

    cpdef farewell_sent(self)

    @cython.locals(frames=Frames)
    cpdef _read_answer(self, bytes data)

    cpdef close_if_answered(self)
    cpdef bint is_open(self) except -1
    cpdef end_writing(self)
    cpdef is_alone(self, bint awaits_answer)
    cpdef let_go(self)
    cpdef abort(self)
    cpdef forget(self)

    @cython.locals(peer=End)
    cpdef ask(self, double now)

    cpdef bint is_between_frames(self) except -1
    cpdef bint is_busy(self, double now, double seconds) except -1
    cpdef bint has_progressed(self, double now) except -1
    cpdef bytes _mask(self)
