"""The native core. This is the only place that chooses between a compiled kernel and its Python twin."""

from typing import TYPE_CHECKING

from kairos._purepython import PURE_PYTHON

if TYPE_CHECKING:
    from kairos._speedups._allocator_py import keep_freed_memory
    from kairos._speedups._cells_py import Cells
    from kairos._speedups._clock_py import coarse_time
    from kairos._speedups._head_py import FieldSet, count_lines, head_end, plain_request, plain_response
    from kairos._speedups._ids_py import uuid4
    from kairos._speedups._path_py import normal_path
    from kairos._speedups._rendezvous_py import ranking
    from kairos._speedups._siphash_py import siphash13

    COMPILED: bool
else:
    try:
        if PURE_PYTHON:
            raise ImportError("switched off")
        from kairos._speedups.allocator import keep_freed_memory
        from kairos._speedups.cells import Cells
        from kairos._speedups.clock import coarse_time
        from kairos._speedups.head import FieldSet, count_lines, head_end, plain_request, plain_response
        from kairos._speedups.ids import uuid4
        from kairos._speedups.path import normal_path
        from kairos._speedups.rendezvous import ranking
        from kairos._speedups.siphash import siphash13

        COMPILED = True
    except ImportError:
        from kairos._speedups._allocator_py import keep_freed_memory
        from kairos._speedups._cells_py import Cells
        from kairos._speedups._clock_py import coarse_time
        from kairos._speedups._head_py import FieldSet, count_lines, head_end, plain_request, plain_response
        from kairos._speedups._ids_py import uuid4
        from kairos._speedups._path_py import normal_path
        from kairos._speedups._rendezvous_py import ranking
        from kairos._speedups._siphash_py import siphash13

        COMPILED = False

__all__ = [
    "COMPILED",
    "Cells",
    "FieldSet",
    "coarse_time",
    "count_lines",
    "head_end",
    "keep_freed_memory",
    "normal_path",
    "plain_request",
    "plain_response",
    "ranking",
    "siphash13",
    "uuid4",
]
