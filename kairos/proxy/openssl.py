"""What Python's ssl has no word for: OpenSSL comes back after each message that carries no data.

As ssl sets it up, one read goes on as long as there is anything to read, and does not come back for new keys or wishes
to negotiate anew. A client that sends nothing else would keep its worker from everything else.
"""

import _ssl
import ctypes
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CLEAR_MODE, _AUTO_RETRY = 78, 4  # SSL_CTRL_CLEAR_MODE, SSL_MODE_AUTO_RETRY: see SSL_CTX_set_mode(3)
_WORD = ctypes.sizeof(ctypes.c_void_p)
# The head of a connection, as CPython has it in C: the socket, OpenSSL's connection, the context.
_CONNECTION = object.__basicsize__ + _WORD
_CONTEXT = _CONNECTION + _WORD


def take_turns(connection: Any, context: object) -> bool:
    """Let each read of a new connection with this context come back soon; say whether that can be had."""
    handle, control = handle_of(connection, context), _control()
    if handle is None or control is None:
        return False
    control(handle, _CLEAR_MODE, _AUTO_RETRY, None)
    return True


def handle_of(connection: Any, context: object) -> int | None:
    """Return the address of OpenSSL's connection, or None if objects do not look as they are known to."""
    if sys.implementation.name != "cpython" or type(connection).__basicsize__ < _CONTEXT + _WORD:
        return None
    if ctypes.c_void_p.from_address(id(connection) + _CONTEXT).value != id(context):
        return None
    return ctypes.c_void_p.from_address(id(connection) + _CONNECTION).value


@cache
def library() -> ctypes.PyDLL | None:
    """Return the very OpenSSL that Python's ssl has."""
    try:
        return ctypes.PyDLL(_ssl.__file__)
    except (AttributeError, OSError):  # it is a part of Python's executable
        return None


@cache
def _control() -> "Callable[[int, int, int, None], int] | None":
    control = getattr(library(), "SSL_ctrl", None)
    if control is None:
        return None
    control.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
    control.restype = ctypes.c_long
    return control  # type: ignore[no-any-return]
