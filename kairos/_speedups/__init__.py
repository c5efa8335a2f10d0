"""The native core. This is the only place that chooses between a compiled kernel and its Python twin."""

from typing import TYPE_CHECKING

from kairos._purepython import PURE_PYTHON

if TYPE_CHECKING:
    from kairos._speedups._allocator_py import keep_freed_memory
    from kairos._speedups._cells_py import Cells
    from kairos._speedups._clock_py import coarse_time
    from kairos._speedups._guarded_py import GUARD_CELLS, STRIPES, GuardedCells
    from kairos._speedups._head_py import FieldSet, count_lines, head_end, plain_request, plain_response
    from kairos._speedups._ids_py import uuid4
    from kairos._speedups._marks_py import Mark, mark
    from kairos._speedups._path_py import normal_path
    from kairos._speedups._rendezvous_py import ranking
    from kairos._speedups._siphash_py import siphash13
    from kairos._speedups._sockets_py import accept_one, send_now
    from kairos._speedups._ssl_handles_py import Functions, handle_of

    COMPILED: bool
else:
    try:
        if PURE_PYTHON:
            raise ImportError("switched off")
        from kairos._speedups.allocator import keep_freed_memory
        from kairos._speedups.cells import Cells
        from kairos._speedups.clock import coarse_time
        from kairos._speedups.guarded import GUARD_CELLS, STRIPES, GuardedCells
        from kairos._speedups.head import FieldSet, count_lines, head_end, plain_request, plain_response
        from kairos._speedups.ids import uuid4
        from kairos._speedups.marks import Mark, mark
        from kairos._speedups.path import normal_path
        from kairos._speedups.rendezvous import ranking
        from kairos._speedups.siphash import siphash13
        from kairos._speedups.sockets import accept_one, send_now
        from kairos._speedups.ssl_handles import Functions, handle_of

        COMPILED = True
    except ImportError:
        from kairos._speedups._allocator_py import keep_freed_memory
        from kairos._speedups._cells_py import Cells
        from kairos._speedups._clock_py import coarse_time
        from kairos._speedups._guarded_py import GUARD_CELLS, STRIPES, GuardedCells
        from kairos._speedups._head_py import FieldSet, count_lines, head_end, plain_request, plain_response
        from kairos._speedups._ids_py import uuid4
        from kairos._speedups._marks_py import Mark, mark
        from kairos._speedups._path_py import normal_path
        from kairos._speedups._rendezvous_py import ranking
        from kairos._speedups._siphash_py import siphash13
        from kairos._speedups._sockets_py import accept_one, send_now
        from kairos._speedups._ssl_handles_py import Functions, handle_of

        COMPILED = False

__all__ = [
    "COMPILED",
    "GUARD_CELLS",
    "STRIPES",
    "Cells",
    "FieldSet",
    "Functions",
    "GuardedCells",
    "Mark",
    "accept_one",
    "coarse_time",
    "count_lines",
    "handle_of",
    "head_end",
    "keep_freed_memory",
    "mark",
    "normal_path",
    "plain_request",
    "plain_response",
    "ranking",
    "send_now",
    "siphash13",
    "uuid4",
]
