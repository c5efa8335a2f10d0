"""Both twins find OpenSSL's connection where CPython keeps it, and touch nothing else."""

import ssl
from types import ModuleType
from typing import Any

import pytest

from kairos import _speedups
from kairos._speedups import _ssl_handles_py
from kairos.proxy import openssl

TWINS: list[ModuleType] = [_ssl_handles_py]
if _speedups.COMPILED:
    from kairos._speedups import ssl_handles

    TWINS.append(ssl_handles)
ADDRESSES = [openssl.address(name) for name in openssl.NAMES]


@pytest.fixture(params=TWINS, ids=lambda twin: twin.__name__)
def twin(request: pytest.FixtureRequest) -> ModuleType:
    found = request.param
    assert isinstance(found, ModuleType)
    return found


@pytest.fixture
def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def connection_of(context: ssl.SSLContext) -> Any:
    found: Any = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="well.example")
    return found._sslobj


def test_the_connection_is_found(twin: ModuleType, context: ssl.SSLContext) -> None:
    one, other = connection_of(context), connection_of(context)

    assert twin.handle_of(one, context)
    assert twin.handle_of(one, context) == twin.handle_of(one, context) != twin.handle_of(other, context)


def test_the_twins_find_the_same(context: ssl.SSLContext) -> None:
    one = connection_of(context)

    assert len({twin.handle_of(one, context) for twin in TWINS}) == 1


def test_what_looks_otherwise_has_no_connection(twin: ModuleType, context: ssl.SSLContext) -> None:
    assert twin.handle_of(connection_of(context), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) == 0
    assert twin.handle_of(object(), context) == 0
    assert twin.handle_of([context, context, context, context], context) == 0


def test_modes_are_cleared(twin: ModuleType, context: ssl.SSLContext) -> None:
    functions = twin.Functions(*ADDRESSES)

    one = connection_of(context)

    assert functions.clear_mode(twin.handle_of(one, context), 4)
    assert not functions.clear_mode(0, 4)


def test_without_openssl_nothing_is_done(twin: ModuleType, context: ssl.SSLContext) -> None:
    functions, handle = twin.Functions(0, 0, 0), twin.handle_of(connection_of(context), context)

    assert not functions.clear_mode(handle, 4)
    assert not functions.waits(handle)


@pytest.mark.skipif(not _speedups.COMPILED, reason="the twin in Python leaves it to ssl")
def test_a_handshake_that_waits_says_so_and_one_that_fails_tells_why_afterwards(context: ssl.SSLContext) -> None:
    functions = ssl_handles.Functions(*ADDRESSES)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours: Any = context.wrap_bio(incoming, outgoing, server_hostname="well.example")
    handle = ssl_handles.handle_of(ours._sslobj, context)

    assert functions.waits(handle)
    assert outgoing.pending  # the first flight
    assert functions.waits(handle)

    incoming.write(b"HTTP/1.1 400 Bad Request\r\n")
    assert not functions.waits(handle)
    with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
        ours.do_handshake()


@pytest.mark.skipif(not _speedups.COMPILED, reason="the twin in Python leaves it to ssl")
def test_no_handle_waits_for_nothing() -> None:
    assert not ssl_handles.Functions(*ADDRESSES).waits(0)
