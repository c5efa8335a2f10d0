"""Reach OpenSSL's connection inside that of Python's ssl: the twin of `ssl_handles.pyx`."""

import ctypes
import sys
from typing import Any

_CLEAR_MODE = 78  # SSL_CTRL_CLEAR_MODE: see SSL_CTX_set_mode(3)
_WORD = ctypes.sizeof(ctypes.c_void_p)
# How the object begins that CPython makes of a connection: the socket, OpenSSL's connection, the context.
_HANDLE = object.__basicsize__ + _WORD
_CONTEXT = _HANDLE + _WORD
_CONTROL = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)


def handle_of(connection: Any, context: object) -> int:
    """Return the address of OpenSSL's connection in one of `_ssl` with this context.

    It is 0 if the object does not look as it is known to.
    """
    if sys.implementation.name != "cpython" or type(connection).__basicsize__ < _CONTEXT + _WORD:
        return 0
    if ctypes.c_void_p.from_address(id(connection) + _CONTEXT).value != id(context):
        return 0
    return ctypes.c_void_p.from_address(id(connection) + _HANDLE).value or 0


class Functions:
    """What of OpenSSL is called here, by the addresses in the library that `_ssl` has; 0 is for what is not there."""

    def __init__(self, control: int, handshake: int, error: int) -> None:
        """Take SSL_ctrl, SSL_do_handshake and SSL_get_error."""
        self._control = _CONTROL(control) if control else None

    def clear_mode(self, handle: int, mode: int) -> bool:
        """Clear a mode of a connection; False if that cannot be done."""
        if self._control is None or not handle:
            return False
        self._control(handle, _CLEAR_MODE, mode, None)
        return True

    def waits(self, handle: int) -> bool:
        """Go on with a handshake; say whether it waits for the other side, which `_ssl` tells with an exception.

        False tells nothing: whoever goes on as usual hears of an error then. Here that is always so.
        """
        return False
