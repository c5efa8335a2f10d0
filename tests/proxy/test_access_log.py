"""The access log: records of what happened, in a file that may be moved away or full."""

import logging
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from kairos.proxy.access_log import FLUSH_BYTES, STDOUT, AccessLog
from tests.proxy.messages import GET, OK, POSTS
from tests.proxy.world import Peer, Server, World

NEWLINE = b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def log(world: World, path: Path) -> Iterator[AccessLog]:
    log = world.plane.access_log = AccessLog(str(path))
    yield log
    world.plane.access_log = None
    log.close()


def records(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def exchange(client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(OK)


def test_an_exchange_is_one_record(log: AccessLog, path: Path, client: Peer, server: Server) -> None:
    client.sends(POSTS["length"].replace(b"/a", b"/a/b?secret"))
    server.connection.sends(OK)
    answer = client.receives()
    log.flush()

    (record,) = records(path)
    assert datetime.fromisoformat(record.pop("timestamp"))
    assert record.pop("request_id").encode() in answer
    times = [record.pop(name) for name in ("connect_ms", "first_byte_ms", "total_ms")]
    assert times == sorted(times)
    assert record == {
        "client": "192.0.2.1",
        "method": "POST",
        "host": "example.com",
        "path": "/a/b",
        "status": 200,
        "reason": "",
        "limit": None,
        "route": "/{rest...}",
        "backend": "http://10.0.0.1:8080",
        "attempts": 1,
        "request_bytes": len(POSTS["length"]) + len(b"/b?secret"),
        "response_bytes": len(answer),
    }


def test_a_reused_connection_took_no_time_to_connect(log: AccessLog, path: Path, client: Peer, server: Server) -> None:
    exchange(client, server)
    exchange(client, server)
    log.flush()

    assert [record["connect_ms"] is None for record in records(path)] == [False, True]


def test_a_local_reply_has_its_reason_and_no_backend(log: AccessLog, path: Path, world: World) -> None:
    world.configure()
    client = world.client()
    client.sends(GET, GET.replace(b"/a", b"/health"))
    log.flush()

    lost, health = records(path)
    assert (lost["status"], lost["reason"], lost["route"], lost["backend"]) == (404, "route_not_found", None, None)
    assert (health["status"], health["reason"], health["route"], health["attempts"]) == (200, "", "/health", 0)
    assert lost["first_byte_ms"] is None


def test_a_request_that_could_not_be_read_is_recorded_too(log: AccessLog, path: Path, client: Peer) -> None:
    client.sends(b"nonsense\r\n\r\n")
    log.flush()

    (record,) = records(path)
    assert (record["status"], record["reason"], record["client"]) == (501, "method_unknown", "192.0.2.1")
    assert (record["method"], record["path"]) == ("", "")


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_client_that_left_is_recorded(
    log: AccessLog, path: Path, client: Peer, server: Server, has_begun: bool
) -> None:
    client.sends(GET)
    if has_begun:
        server.connection.sends(OK[:-1])
    client.leaves()
    log.flush()

    (record,) = records(path)
    assert (record["status"], record["reason"]) == (200 if has_begun else 499, "client_left")


def test_the_attempts_are_recorded(log: AccessLog, path: Path, world: World) -> None:
    first, second = world.server(8001), world.server(8002)
    first.error = ConnectionRefusedError
    world.configure(world.route("/a", first, second))
    client = world.client()
    exchange(client, second)
    log.flush()

    (record,) = records(path)
    assert (record["attempts"], record["backend"]) == (2, "http://10.0.0.1:8002")


def test_records_are_collected_and_written_together(log: AccessLog, path: Path, client: Peer, server: Server) -> None:
    exchange(client, server)
    assert path.read_bytes() == b""

    while not (written := path.read_bytes()):
        exchange(client, server)

    assert len(written) >= FLUSH_BYTES
    assert written.endswith(b"}\n")


def test_closing_writes_what_is_left(world: World, path: Path, client: Peer, server: Server) -> None:
    log = world.plane.access_log = AccessLog(str(path))
    exchange(client, server)

    log.close()

    assert len(records(path)) == 1
    world.plane.access_log = None


def test_records_are_appended(path: Path, log: AccessLog, client: Peer, server: Server) -> None:
    path.write_bytes(b'{"earlier": 1}\n')
    exchange(client, server)
    log.flush()
    log.flush()

    assert [record.get("earlier") for record in records(path)] == [1, None]


def test_only_the_owner_and_the_group_read_the_log(path: Path, log: AccessLog) -> None:
    assert path.stat().st_mode & 0o027 == 0


def test_a_moved_file_is_opened_anew(log: AccessLog, path: Path, client: Peer, server: Server) -> None:
    exchange(client, server)
    moved = path.rename(path.with_suffix(".1"))

    log.reopen()
    exchange(client, server)
    log.flush()

    assert (len(records(moved)), len(records(path))) == (1, 1)


def test_if_the_file_cannot_be_reopened_the_old_one_is_kept(
    log: AccessLog, path: Path, client: Peer, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    moved = path.rename(path.with_suffix(".1"))
    path.mkdir()

    log.reopen()
    exchange(client, server)
    log.flush()

    assert len(records(moved)) == 1
    assert "cannot be reopened: Is a directory" in caplog.text


def test_a_full_disk_is_reported_once_and_so_is_its_end(
    world: World, path: Path, client: Peer, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    path.symlink_to("/dev/full")
    log = world.plane.access_log = AccessLog(str(path))
    caplog.set_level(logging.WARNING)

    for _ in range(3):
        exchange(client, server)
        log.flush()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "No space left on device; requests go on" in caplog.text
    assert client.receives().count(b"200 OK") == 3

    path.unlink()
    log.reopen()
    exchange(client, server)
    log.flush()
    exchange(client, server)
    log.close()
    world.plane.access_log = None

    assert len(records(path)) == 2
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "3 records are lost" in caplog.text


def test_what_a_pipe_does_not_take_is_counted_as_lost(
    world: World, path: Path, client: Peer, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = world.plane.access_log = AccessLog(str(path))
    os.set_blocking(log._fd, False)
    count = 0
    while not caplog.records:
        exchange(client, server)
        count += 1
    taken = os.read(reader, 1 << 20)

    exchange(client, server)
    log.close()

    world.plane.access_log = None
    assert b'"status":200' in os.read(reader, 1 << 20)
    os.close(reader)
    assert f"{count - taken.count(NEWLINE)} records are lost" in caplog.text
    assert client.receives().count(b"200 OK") == count + 1


def test_standard_output_is_never_closed(capfd: pytest.CaptureFixture[str], world: World, server: Server) -> None:
    log = world.plane.access_log = AccessLog(STDOUT)
    exchange(world.client(), server)
    log.reopen()
    log.close()
    world.plane.access_log = None

    os.write(1, b"still open\n")
    record, line = capfd.readouterr().out.splitlines()
    assert orjson.loads(record)["status"] == 200
    assert line == "still open"
    assert log.path == STDOUT


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        AccessLog(str(tmp_path))
