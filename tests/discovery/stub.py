"""A name server on loopback, in a thread: it answers what the test says, and remembers what it was asked."""

import asyncio
import threading
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

HOST = "127.0.0.1"
PATIENCE_SECONDS = 30.0
UDP_BYTES = 512


class NameServer:
    """A name server for the time of a `with` block. It knows `records`; what else is asked for does not exist."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.rcode = dns.rcode.NOERROR  # of every answer, if it is an error
        self.is_silent = False
        self.silent_kinds: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.tcp_questions = 0
        self.port = 0
        self._changed = threading.Condition()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="name server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(PATIENCE_SECONDS)
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone: the port is closed."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(PATIENCE_SECONDS)

    @property
    def address(self) -> str:
        """Where it is, as a config wants it."""
        return f"{HOST}:{self.port}"

    def tell(self, name: str, *values: str, ttl: int = 30, kind: str = "A") -> None:
        """Have these records from now on."""
        self.records[name, kind] = (ttl, list(values))

    def wait_for(self, more: int) -> None:
        """Wait until that many more questions have come."""
        with self._changed:
            wanted = len(self.asked) + more
            assert self._changed.wait_for(lambda: len(self.asked) >= wanted, PATIENCE_SECONDS)

    def answer(self, wire: bytes, most: int) -> bytes | None:
        """Answer a question in at most so many bytes."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        with self._changed:
            self.asked.append((name, kind))
            self._changed.notify_all()
        if self.is_silent or kind in self.silent_kinds:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(self.rcode)
        if self.rcode == dns.rcode.NOERROR:
            self._fill(response, name, kind)
        data = response.to_wire(max_size=65535)
        if len(data) > most:
            response.answer = []
            response.flags |= dns.flags.TC
            data = response.to_wire()
        return data

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        while (alias := self.records.get((name, "CNAME"))) is not None:
            ttl, (target,) = alias
            response.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", "CNAME", f"{target}."))
            name = target
        if (found := self.records.get((name, kind))) is not None:
            ttl, values = found
            if values:
                response.answer.append(dns.rrset.from_text_list(f"{name}.", ttl, "IN", kind, values))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._serve_tcp, HOST, self.port)
        self.port = server.sockets[0].getsockname()[1]
        transport, _ = await self._loop.create_datagram_endpoint(lambda: Udp(self), (HOST, self.port))
        self._started.set()
        await self._end.wait()
        transport.close()
        server.close()

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tcp_questions += 1
        size = int.from_bytes(await reader.readexactly(2))
        data = self.answer(await reader.readexactly(size), 65535) or b""
        writer.write(len(data).to_bytes(2) + data)
        writer.close()


class Udp(asyncio.DatagramProtocol):
    """Its ear for datagrams."""

    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        answer = self._server.answer(data, UDP_BYTES)
        if answer is not None:
            self._transport.sendto(answer, address)  # type: ignore[attr-defined]
