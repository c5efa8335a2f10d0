"""What Python's ssl has no word for: turns of reading, and the order of the ciphers of TLS 1.3.

As ssl sets it up, one read goes on as long as there is anything to read, and does not come back for new keys or wishes
to negotiate anew. A client that sends nothing else would keep its worker from everything else.
"""

import _ssl
import ctypes
import ssl
from functools import cache
from typing import Any

from kairos._speedups import Functions, handle_of

_AUTO_RETRY = 4  # SSL_MODE_AUTO_RETRY: see SSL_CTX_set_mode(3)
NAMES = "SSL_ctrl", "SSL_do_handshake", "SSL_get_error"


def take_turns(handle: int) -> bool:
    """Let each read of a new connection come back soon; say whether that can be had."""
    return functions().clear_mode(handle, _AUTO_RETRY)


def prefer(context: ssl.SSLContext, suites: str) -> bool:
    """Take the ciphers of TLS 1.3 in this order, the best first; say whether that can be had."""
    any_connection: Any = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    handle = handle_of(any_connection._sslobj, context)  # noqa: SLF001
    find, order = getattr(library(), "SSL_get_SSL_CTX", None), getattr(library(), "SSL_CTX_set_ciphersuites", None)
    if not handle or find is None or order is None:
        return False
    find.argtypes, find.restype = (ctypes.c_void_p,), ctypes.c_void_p
    order.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    return bool(order(find(handle), suites.encode()))


@cache
def library() -> ctypes.PyDLL | None:
    """Return the very OpenSSL that Python's ssl has."""
    try:
        return ctypes.PyDLL(_ssl.__file__)
    except (AttributeError, OSError):  # it is a part of Python's executable
        return None


@cache
def functions() -> Functions:
    """Return those of its functions that are called for each connection."""
    return Functions(*map(address, NAMES))


def address(name: str) -> int:
    """Return where a function of it is, or 0."""
    function = getattr(library(), name, None)
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0
