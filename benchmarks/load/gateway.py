"""The gateway under test, and what its shared memory tells about it."""

import inspect
import json
import mmap
import os
import ssl
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import BinaryIO, Self

from benchmarks.load import proc
from benchmarks.load.certificate import Certificate
from benchmarks.load.errors import LoadError
from benchmarks.load.programs import HOST, START_SECONDS, Program, free_port
from kairos.shm import layout
from kairos.shm.zone import Zone

CELL_BYTES = 8
ZONE_NAME = "/memfd:kairos-zone"

ROUTES = {  # path: methods
    "/items/{id}": ["GET", "POST"],
    "/files/{name}": ["GET"],
    "/chunked/{name}": ["GET"],
    "/missing/{name}": ["GET"],
    "/wait": ["GET"],
}
ECHO_PATH = "/echo"
INHERITED = ("KAIROS_PURE_PYTHON", "KAIROS_LOOP")


class Gateway(Program):
    """Kairos with routes to an origin, for the time of a `with` block.

    WebSockets lead to `echo_port`, if that is given. `more` are further settings, or other routes.
    """

    def __init__(
        self,
        folder: Path,
        origin_port: int,
        *,
        workers: int = 1,
        cpu: int | None = None,
        echo_port: int | None = None,
        tls: Certificate | None = None,
        **more: object,
    ) -> None:
        port = free_port()
        settings: dict[str, object] = {"version": 1}
        routers = settings["routers"] = [router(path, origin_port, methods=methods) for path, methods in ROUTES.items()]
        if echo_port is not None:
            routers.append(router(ECHO_PATH, echo_port, protocol="websocket"))
        if tls is not None:
            settings["server"] = {"tls": {"cert_file": str(tls.cert), "key_file": str(tls.key)}}
        config = folder / "kairos.json"
        config.write_text(json.dumps(settings | more), encoding="utf-8")
        command = [
            *(sys.executable, "-m", "kairos", "run", "--config", str(config), "--host", HOST, "--port", str(port)),
            *("--workers", str(workers), "--state-dir", str(folder / f"state-{port}"), "--drain-delay", "0"),
        ]
        super().__init__("kairos", command, port, folder, environment=clean_environment(), cpu=cpu)
        self._has_tls = tls is not None
        self._workers = workers
        self._zone: ZoneReader

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._ask_whether_it_is_ready()
            self._zone = ZoneReader(self.pid, self._workers)
            self._wait_for_workers()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    @property
    def worker_pids(self) -> list[int]:
        """The processes that serve."""
        return [pid for pid in self._zone.each(layout.PID) if pid]

    @property
    def pids(self) -> list[int]:
        """The supervisor and the workers, without what may run beside them for a moment."""
        return [self.pid, *self.worker_pids]

    def memory(self) -> proc.Memory:
        """Sum the memory of supervisor and workers."""
        return proc.memory(self.pids)

    def total(self, index: int) -> int:
        """Sum one of the numbers of `kairos.shm.layout` over all workers."""
        return sum(self._zone.each(index))

    def check(self) -> None:
        """LoadError if the gateway has ended, or has met with an error of its own."""
        super().check()
        if "Traceback" in self.log():
            raise LoadError(f"a traceback in the log of the gateway:\n{self.log()}")

    def _ask_whether_it_is_ready(self) -> None:
        connection = HTTPConnection(HOST, self.port, timeout=START_SECONDS)
        if self._has_tls:
            context = ssl._create_unverified_context()  # noqa: SLF001 - nobody checks the certificate
            connection = HTTPSConnection(HOST, self.port, timeout=START_SECONDS, context=context)
        try:  # the port is open before anybody serves; the question waits there for the first worker
            connection.request("GET", "/ready")
            status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            raise LoadError(f"the gateway does not get ready: {error!r}\n{self.log()}") from None
        finally:
            connection.close()
        if status != 200:
            raise LoadError(f"the gateway is not ready (status {status}):\n{self.log()}")

    def _wait_for_workers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not all(self._zone.each(layout.LIVE_GENERATION)):
            self.check()
            if time.monotonic() > deadline:
                raise LoadError(f"not all workers of the gateway serve:\n{self.log()}")
            time.sleep(0.02)


class ZoneReader:
    """Look into the shared memory of a running gateway, without having a part in it."""

    def __init__(self, supervisor: int, workers: int) -> None:
        with _open_zone(supervisor) as file:
            self._memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        defaults = {name: parameter.default for name, parameter in inspect.signature(Zone).parameters.items()}
        zone = layout.Layout(workers, defaults["columns"], defaults["words"])
        if len(self._memory) < zone.cells * CELL_BYTES:  # what is guarded comes last, and its size is a setting
            raise LoadError("the gateway's shared memory is smaller than its source says: rebuild it")
        self._rows = [zone.row(slot) for slot in range(workers)]

    def each(self, index: int) -> list[int]:
        """Return one number of each worker."""
        return [int(struct.unpack_from("=q", self._memory, (row + index) * CELL_BYTES)[0]) for row in self._rows]


def router(path: str, origin_port: int, *, methods: Sequence[str] = ("GET",), **more: object) -> Mapping[str, object]:
    """Make a route to the origin, under the same path if `more` says nothing else."""
    backends = [{"host": f"http://{HOST}", "port": origin_port}]
    return {"external_path": path, "internal_path": path, "methods": methods, "backends": backends, **more}


def clean_environment() -> dict[str, str]:
    """Return our environment without settings for the gateway that could change what is measured."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("KAIROS_", "RUST_LOG"))}
    return foreign | {name: os.environ[name] for name in INHERITED if name in os.environ}


def _open_zone(pid: int) -> BinaryIO:
    for link in (proc.PROC / str(pid) / "fd").iterdir():
        if str(link.readlink()).startswith(ZONE_NAME):
            return link.open("rb")
    raise LoadError(f"process {pid} has no shared memory that is called {ZONE_NAME}")
